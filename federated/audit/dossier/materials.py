"""The bill of materials: every distribution that is installed where the dossier is made, as CycloneDX JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, distributions
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from federated.canonical import canonical, digest
from federated.manifest import Frozen

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

OURS = "consilium"
NAMED = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


class Material(Frozen):
    """An installed distribution; `needs` are those of its requirements that are installed, extras among them."""

    name: str
    version: str
    license: str | None
    needs: tuple[str, ...]


def installed(found: Iterable[Distribution] | None = None) -> tuple[Material, ...]:
    """Every distribution of this environment once, by name (PEP 503); the first on the path counts."""
    named: dict[str, Distribution] = {}
    for each in distributions() if found is None else found:
        named.setdefault(_normal(each.metadata["Name"]), each)
    return tuple(
        Material(name=name, version=each.version, license=_license(each), needs=_needs(each, named))
        for name, each in sorted(named.items())
    )


def bill(materials: Sequence[Material]) -> bytes:
    """CycloneDX 1.6 JSON; the same materials give the same bytes."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.output.json import JsonV1Dot6

    made = {each.name: _component(each) for each in materials}
    bom = Bom(components=[part for name, part in made.items() if name != OURS])
    bom.serial_number = uuid5(NAMESPACE_URL, digest(canonical([each.model_dump(mode="json") for each in materials])))
    bom.metadata.component = made.get(OURS)
    for each in materials:
        bom.register_dependency(made[each.name], [made[name] for name in each.needs])
    told = json.loads(JsonV1Dot6(bom).output_as_string())
    del told["metadata"]["timestamp"]
    return json.dumps(told, indent=2, sort_keys=True).encode() + b"\n"


def _component(each: Material) -> Component:
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    purl = PackageURL("pypi", None, each.name, each.version)
    return Component(
        name=each.name,
        version=each.version,
        type=ComponentType.APPLICATION if each.name == OURS else ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        licenses=[LicenseFactory().make_from_string(each.license)] if each.license else (),
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _needs(each: Distribution, named: Iterable[str]) -> tuple[str, ...]:
    found = (NAMED.match(text) for text in each.requires or ())
    names = {_normal(match.group()) for match in found if match}
    return tuple(sorted(names.intersection(named) - {_normal(each.metadata["Name"])}))


def _license(each: Distribution) -> str | None:
    """An SPDX expression where there is one, else what is said in one line, else the classifier."""
    data = each.metadata
    said = next((data[name] for name in ("License-Expression", "License") if name in data), "")
    classified = [text.rpartition(" :: ")[2] for text in data.get_all("Classifier") or () if text.startswith("License")]
    short = said if 0 < len(said) <= 80 and "\n" not in said and said != "UNKNOWN" else None
    return short or (classified[0] if classified else None)
