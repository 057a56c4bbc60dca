"""How long the coordinator's pages take to make, for many hospitals over many releases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.claims import Row
from federated.canonical import digest
from federated.envelope import PREDICATE_TYPE, Passage
from federated.manifest import (
    AdoptionManifest,
    FrontEndCard,
    Hyperparameters,
    Manifest,
    ReleaseManifest,
    ReleaseSite,
    ReportManifest,
    Tensors,
    manifest_bytes,
    pack_tensors,
)
from federated.statements import sign_statement
from federated.vocabulary import plain_vocabulary
from federated.web.access import Person
from federated.web.exchange import Answer, Rendered, Seen
from server.artefacts import Artefacts
from server.coordinator import Coordinator
from server.home import CoordinatorConfig, CoordinatorHome
from server.registry import EventRow, ParcelRow, ReleaseRow, SiteRow
from server.web.pages import Pages

FEDERATION, TASK, LABELS = "speed", "classification", tuple(f"view{number}" for number in range(12))
CARD = FrontEndCard(name="pixels", config={"size": 8}, digest="sha256:" + "0" * 64, features=65)
AT = "2026-11-21T00:00:00Z"
TIMES = 30  # that each page is asked for
KEY = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)


@dataclass(frozen=True)
class Size:
    """How much there is."""

    sites: int
    releases: int
    summaries: int


def measure_coordinator(folder: Path, size: Size) -> Iterator[Row]:
    """Milliseconds from the question to the page, for each page, and how long reading all releases takes at the start.

    The pages are asked in this process; the network and the browser are not in the figures.
    """
    pages = Pages(_home(folder, size))
    begun = time.perf_counter()
    for _ in pages.read():
        pass
    yield {"what": "releases read by the coordinator", "entries": size.releases, "seconds": time.perf_counter() - begun}
    for what, path, endpoint in _asked(pages, size):
        times = [_ask(endpoint, path) for _ in range(TIMES)]
        yield {
            "what": f"page of the coordinator: {what}",
            "entries": size.summaries,
            "median, ms": float(np.median(times)),
            "p95, ms": float(np.quantile(times, 0.95)),
        }


def _asked(pages: Pages, size: Size) -> Sequence[tuple[str, dict[str, str], Callable[[Seen], Answer]]]:
    return (
        ("overview", {}, pages.overview),
        ("hospitals", {}, pages.sites),
        ("one hospital", {"name": "site000"}, pages.one_site),
        ("releases", {}, pages.releases),
        ("one release", {"number": str(size.releases)}, pages.one_release),
        ("quarantine", {}, pages.quarantine),
        ("log", {}, pages.log),
    )


def _ask(endpoint: Callable[[Seen], Answer], path: dict[str, str]) -> float:
    from federated.pages.templating import environment

    begun = time.perf_counter()
    answer = endpoint(Seen(Person("eve", "viewer", "open", ""), path=path))
    assert isinstance(answer, Rendered)
    common = {"house": "speed", "nav": (), "here": "/", "who": None, "csrf": ""}
    environment("server.web").get_template(answer.template).render({**common, **answer.context})
    return 1000 * (time.perf_counter() - begun)


def _home(folder: Path, size: Size) -> CoordinatorHome:
    config = CoordinatorConfig(federation=FEDERATION, name="hub", task=TASK, front_end=CARD)
    home = CoordinatorHome.create(folder / "hub", config, plain_vocabulary("views", list(LABELS)))
    coordinator = Coordinator(home)
    kept = Artefacts(home.artefacts_path)
    names = [f"site{number:03d}" for number in range(size.sites)]
    reports = {
        name: _put(kept, _report(name), {"confusion": np.eye(len(LABELS), dtype=np.int64) * 9}) for name in names
    }
    made, previous = list[str](), None
    for number in range(1, size.releases + 1):
        previous = _put(kept, _release(number, previous, reports), {})
        made.append(previous)
    adoptions = [_put(kept, _adoption(names[0], digest), {}) for digest in made]
    envelope = kept.put(_envelope(names[0]))
    with coordinator.registry.transaction() as session:
        session.add_all(SiteRow(name=name, state="enrolled", invitation="", flower_public="") for name in names)
        session.add_all(
            ReleaseRow(
                digest=each, number=number, candidate=each, state="standing", origin=None, recall=None, created=AT
            )
            for number, each in enumerate(made, 1)
        )
        session.add_all(EventRow(at=AT, event="release", site=None, subject=each, detail="") for each in made)
        session.add_all(_parcels(names, made, adoptions, envelope, size))
    return home


def _parcels(
    names: Sequence[str], made: Sequence[str], adoptions: Sequence[str], envelope: str, size: Size
) -> Iterator[ParcelRow]:
    """Of every site a contribution, what it did with each release, and its share of the summaries."""
    for name in names:
        other = ["statistics", *["summary"] * (size.summaries // len(names))]
        sent: list[tuple[str, str, str | None]] = [
            (kind, f"sha256:{name}{number}", None) for number, kind in enumerate(other)
        ]
        sent += [("adoption", told, release) for told, release in zip(adoptions, made, strict=True)]
        for number, (kind, parcel, release) in enumerate(sent, 1):
            yield ParcelRow(
                site=name,
                sequence=number,
                digest=parcel,
                kind=kind,
                batch="b0001",
                concerns=release,
                mean_square=None,
                envelope=envelope,
                state="current",
                reason="",
                received=AT,
                told=True,
            )


def _put(kept: Artefacts, manifest: Manifest, tensors: Tensors) -> str:
    data, specs, name = pack_tensors(tensors)
    kept.put(data)
    return kept.put(manifest_bytes(manifest.model_copy(update={"tensors": specs, "tensors_digest": name})))


def _fields(**more: Any) -> dict[str, Any]:
    _, specs, name = pack_tensors({})
    return {"federation": FEDERATION, "tensors": specs, "tensors_digest": name, **more}


def _report(site: str) -> ReportManifest:
    fields = _fields(site=site, candidate=CARD.digest, labels=LABELS, validation_patients=9, calibration_patients=9)
    return ReportManifest.model_validate(fields)


def _adoption(site: str, release: str) -> AdoptionManifest:
    return AdoptionManifest.model_validate(_fields(site=site, release=release, choice="adopted"))


def _release(number: int, previous: str | None, reports: Mapping[str, str]) -> ReleaseManifest:
    sites = tuple(
        ReleaseSite(
            name=name,
            labels=LABELS,
            contributions=(digest(f"{name} {number // 10}".encode()),),
            patients=dict.fromkeys(LABELS, 9),
            gram="kept",
            report=report,
            calibration="own",
            calibration_patients=9,
        )
        for name, report in reports.items()
    )
    fields = _fields(
        kind="release",
        number=number,
        previous=previous,
        candidate=CARD.digest,
        task=TASK,
        front_end=CARD,
        vocabulary=plain_vocabulary("views", list(LABELS)),
        labels=LABELS,
        sites=sites,
        experts=(),
        hyperparameters=Hyperparameters(ridge=1.0, scatter=0.1, outside=0.1),
        weighting="none",
        alpha=0.05,
        temperature=1.0,
        systems=(),
    )
    return ReleaseManifest.model_validate(fields)


def _envelope(site: str) -> bytes:
    passage = Passage(
        federation=FEDERATION,
        sender=site,
        recipient="hub",
        sequence=1,
        previous=None,
        kind="statistics",
        policy=digest(b"policy"),
        filters={"batch": "5 <= 12"},
        approval="standing",
        issued=AT,
    )
    return sign_statement("statistics", digest(b"subject"), PREDICATE_TYPE, passage, [KEY])
