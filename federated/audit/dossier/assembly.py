"""A dossier put together from a bundle, the lists of the program, and what a person has stated."""

from __future__ import annotations

from federated.audit.bundle import Bundle, Head
from federated.audit.dossier.acceptance import acceptance
from federated.audit.dossier.card import card
from federated.audit.dossier.document import Dossier, Grid, Line, Section
from federated.audit.dossier.history import history
from federated.audit.dossier.materials import Material
from federated.audit.dossier.promises import requirements, risks
from federated.audit.dossier.sites import data, performance
from federated.audit.dossier.sources import Sources
from federated.audit.dossier.stated import Stated
from federated.audit.dossier.use import use
from federated.keys import TrustFile

UNCHECKED = "Keys unverified: signatures were not checked, for no keys were given"
PROGRAM = "the program"
RISKS = (
    "Every risk that the threat model of the program names. Met: tests show what stands against it. Open: nothing in "
    "the program does, or not all of it."
)
REQUIREMENTS = (
    "What the program promises, and the tests that show it. A test of the program fails when one that is named here is "
    "gone; whether they pass is what make test says."
)
MATERIALS = (
    "What is installed where this dossier was made; hospitals and the coordinator may have installed something else. "
    "The same as CycloneDX 1.6 is in sbom.cdx.json."
)


def assemble(
    bundle: Bundle, release: Head, stated: Stated, materials: tuple[Material, ...], trust: TrustFile | None
) -> Dossier:
    """All sections about one release.

    Raises:
        ConsiliumError: a parcel is none, or with keys the release bears no signature that counts.
    """
    sources = Sources(bundle, None if trust is None else trust.with_former())
    opened = bundle.opened(release.digest, sources.trust)
    manifest = opened.manifest
    by = ", ".join(sorted(key[:16] for key in opened.signers))
    checked = f"The release is signed by '{opened.passage.sender}' with {by}; what hospitals sent, by them"
    sections = (
        card(manifest, release.digest, stated),
        data(sources, manifest, stated),
        performance(sources, manifest),
        use(sources, release.digest),
        acceptance(bundle, release.digest),
        history(bundle),
        _risks(),
        _requirements(),
        _materials(materials),
    )
    return Dossier(
        federation=bundle.federation,
        release=manifest.number,
        digest=release.digest,
        signatures=checked if trust is not None else UNCHECKED,
        left_out=tuple(sources.left_out.values()),
        sections=sections,
    )


def _risks() -> Section:
    found = risks()
    lists = ("open", "met")
    text = ", ".join(f"{sum(risk.state == state for risk in found)} {state}" for state in lists)
    line = Line(topic="Risks", text=text, source=PROGRAM, items=("FUTURE-AI Traceability 1",))
    rows = tuple((risk.title, risk.state, risk.answer, "\n".join(risk.tests) or "-") for risk in found)
    grid = Grid(title="Risks", columns=("risk", "state", "what stands against it", "tests"), rows=rows)
    return Section(title="Risk list", about=RISKS, lines=(line,), grids=(grid,))


def _requirements() -> Section:
    rows = tuple((each.text, ", ".join(each.asked_by) or "-", "\n".join(each.tests)) for each in requirements())
    grid = Grid(title="Requirements and tests", columns=("requirement", "asked by", "tests"), rows=rows)
    items = ("FUTURE-AI Traceability 2",)
    line = Line(topic="Requirements", text=f"{len(rows)}, each with its tests", source=PROGRAM, items=items)
    return Section(title="Requirements and tests", about=REQUIREMENTS, lines=(line,), grids=(grid,))


def _materials(materials: tuple[Material, ...]) -> Section:
    rows = tuple((each.name, each.version, each.license or "not stated") for each in materials)
    grid = Grid(title="Installed distributions", columns=("name", "version", "licence"), rows=rows)
    return Section(title="Bill of materials", about=MATERIALS, grids=(grid,))
