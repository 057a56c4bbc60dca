"""How long an auditor waits for a page: an index of many releases and summaries, and each page of it many times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.claims import Row
from federated.audit.bundle import Bundle, open_bundle
from federated.audit.bundling import new_bundle
from federated.audit.explain import Explanation, explain
from federated.audit.outcome import Audit, Check
from federated.audit_pages.building import Builder
from federated.audit_pages.cards import cards_of
from federated.audit_pages.house import NAV, audit_house
from federated.audit_pages.index import Index
from federated.audit_pages.room import Room
from federated.canonical import digest
from federated.contract import FrontEndCard, Tensors
from federated.decision import Decision
from federated.decision_summary import DRIFT_BINS, FLAGS, REASONS, REST
from federated.envelope import EVERYONE, Passage, seal
from federated.log.checkpoints import origin_of
from federated.log.entries import Entry, sign_entry
from federated.log.journal import Journal
from federated.manifest import Hyperparameters, ReleaseManifest, ReleaseSite, SummaryManifest, manifest_digest
from federated.vocabulary import plain_vocabulary
from federated.web.access import Access
from federated.web.door import Door
from federated.web.gate import Gate
from federated.web.limits import Buckets

SITES, RELEASES, LABELS = 100, 1_000, 12  # a summary of each site for each release
LOGGED = 2_000  # entries of the log in the bundle, from which one is proved
DECIDED = 500  # decisions that were opened
TIMES = 30  # that each page is asked for
FEDERATION, AT = "speed", "2026-11-21T00:00:00Z"
HUB = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
CODES = tuple(f"label-{number:02d}" for number in range(LABELS))


def measure_pages(folder: Path, *, sites: int = SITES, releases: int = RELEASES) -> list[Row]:
    """One row a page, the index beside it, all in a folder."""
    manifests = list(_releases(sites, releases))
    bundle = _bundle(folder, manifests)
    begun = time.perf_counter()
    index = _index(folder / "index.sqlite", manifests)
    summaries = sites * releases
    told = {"seconds": time.perf_counter() - begun, "MB": index.path.stat().st_size / 2**20}
    gate = audit_house(Room(index, bundle, None), Access(folder / "access.toml", ("reader",), loopback=True), Door())
    gate.asked = Buckets(1e9, 1e9)
    paths = [*(path for path, _ in NAV), *_deeper(sites, releases)]
    rows: list[Row] = [{"what": "index of summaries", "entries": summaries, **told}]
    rows += ({"what": f"page {path}", "entries": summaries, **asyncio.run(_timed(gate, path))} for path in paths)
    return rows


def _deeper(sites: int, releases: int) -> Iterator[str]:
    """Pages of one thing, and the last part of long lists."""
    yield f"/experts/site-{sites - 1:03d}?release={releases}"
    yield f"/weights?measure=contributions&release={max(1, releases // 2)}&page=2"
    yield f"/weights.csv?release={releases}"
    yield f"/releases/{releases}"
    yield f"/decisions/{DECIDED}"
    yield "/log?event=accepted&page=1000"
    yield f"/log?site=site-{sites - 1:03d}"
    yield "/log/1000"


async def _timed(gate: Gate, path: str) -> dict[str, float]:
    """Median and 95th percentile of a page, asked for again and again, without a network."""
    import httpx

    spent, transport = [], httpx.ASGITransport(app=gate, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for _ in range(TIMES):
            begun = time.perf_counter()
            answer = await client.get(path)
            spent.append(1000 * (time.perf_counter() - begun))
            if answer.status_code != 200:
                raise AssertionError(f"{path} answers {answer.status_code}")
    return {"median, ms": float(np.median(spent)), "p95, ms": float(np.quantile(spent, 0.95))}


def _releases(sites: int, releases: int) -> Iterator[ReleaseManifest]:
    """Each names the one before; every fiftieth release the contributions are others."""
    card = FrontEndCard(name="pixels", config={}, digest=digest(b"front end"), features=24)
    vocabulary, previous = plain_vocabulary("views", list(CODES)), None
    for number in range(1, releases + 1):
        made = ReleaseManifest(
            kind="release",
            federation=FEDERATION,
            tensors={},
            tensors_digest=digest(b""),
            number=number,
            previous=previous,
            candidate=digest(b"candidate %d" % number),
            task="classification",
            front_end=card,
            vocabulary=vocabulary,
            labels=CODES,
            sites=tuple(_site(place, number // 50) for place in range(sites)),
            experts=(),
            hyperparameters=Hyperparameters(ridge=1.0, scatter=0.5, outside=0.25),
            weighting="refit",
            alpha=0.05,
            temperature=1.0,
            systems=(),
        )
        previous = manifest_digest(made)
        yield made


def _site(place: int, version: int) -> ReleaseSite:
    held = tuple(CODES[(place + step) % LABELS] for step in range(LABELS // 2))
    return ReleaseSite(
        name=f"site-{place:03d}",
        labels=held,
        contributions=tuple(digest(b"%d %d %d" % (place, version, part)) for part in range(3)),
        patients=dict.fromkeys(held, 10 + 7 * place % 90),
        gram="kept",
        report=None,
        calibration="own",
        calibration_patients=40,
    )


def _bundle(folder: Path, manifests: list[ReleaseManifest]) -> Bundle:
    """The releases' heads, and a log."""
    journal = Journal(folder / "log", origin_of(FEDERATION))
    entries = (
        Entry(federation=FEDERATION, at=AT, event="quarantined", subject=digest(b"%d" % n)) for n in range(LOGGED)
    )
    journal.append([sign_entry(entry, HUB) for entry in entries], HUB)
    with new_bundle(folder / "speed.bundle", FEDERATION) as bundle:
        bundle.add_log(folder / "log")
        for number, manifest in enumerate(manifests, 1):
            passage = Passage(
                federation=FEDERATION,
                sender="hub",
                recipient=EVERYONE,
                sequence=number,
                previous=None,
                kind="release",
                policy=None,
                filters={},
                approval="none",
                issued=AT,
            )
            bundle.add_parcel(seal(manifest, b"", passage, [HUB]), "size")
    return open_bundle(folder / "speed.bundle")


def _index(path: Path, manifests: list[ReleaseManifest]) -> Index:
    """As `building.build` makes it, from summaries that no parcel holds."""
    builder = Builder(path)
    builder.fact("federation", FEDERATION)
    builder.fact("kinds", {"summary": len(manifests) * len(manifests[0].sites), "release": len(manifests)})
    checks = (
        Check(name="signature", ok=True, found="the coordinator's"),
        Check(name="contents", ok=None, found="a head"),
    )
    audits = [Audit(file=f"release {one.number}", kind="release", digest=None, checks=checks) for one in manifests]
    builder.fact("audits", [audit.model_dump(mode="json") for audit in audits])
    builder.fact("left out", [])
    rng, number = np.random.default_rng(7), 0
    for manifest in manifests:
        name = manifest_digest(manifest)
        right = {site.name: (9 * np.eye(LABELS, dtype=int) + 1).tolist() for site in manifest.sites}
        builder.release(name, manifest, cards_of(manifest, right), "size")
        tensors, sites = _sums(rng, len(manifest.sites)), tuple(site.name for site in manifest.sites)
        told = int(tensors["answered"].sum() + tensors["abstained"].sum())
        for site in sites:
            summary = _summary(manifest.number, name, site, sites, told)
            builder.summary(digest(b"%d" % number), summary, tensors)
            builder.entry(number, _told(site, digest(b"%d" % number)))
            number += 1
    for number in range(DECIDED):
        builder.decision(digest(b"%d" % number), sites[0], _explained(name, sites, f"{number:032x}"))
    builder.finish()
    return Index(path)


def _explained(release: str, sites: tuple[str, ...], image: str) -> Explanation:
    share = 0.5 / len(sites)
    scores = {code: float(code == CODES[0]) for code in CODES}
    decision = Decision(
        image=image,
        clip=image,
        label=CODES[0],
        abstained=False,
        why=None,
        caption=None,
        scores=scores,
        probabilities=scores,
        weights=dict.fromkeys(sites, 1.0),
        contributions={code: dict.fromkeys(sites, score / len(sites)) for code, score in scores.items()},
        evidence=dict.fromkeys(sites, share) | {"prior": 0.3, "disagreement": 0.2},
        qualified=dict.fromkeys(sites, 0.5),
        release=release,
    )
    return explain(decision)


def _sums(rng: np.random.Generator, sites: int) -> Tensors:
    shares = rng.dirichlet(np.ones(sites + len(REST)), LABELS)
    answered = rng.integers(5, 60, LABELS)
    counts: Any = {name: np.zeros(LABELS, np.int64) for name in FLAGS}
    return {
        "answered": answered,
        "abstained": np.array([7, *[0] * (len(REASONS) - 1)]),
        "weights": rng.random((LABELS, sites)) * answered[:, None],
        "contributions": shares[:, :sites] * answered[:, None],
        "evidence": shares * answered[:, None],
        "qualified": rng.integers(0, 60, sites),
        "drift": np.full(DRIFT_BINS, 5),
        **counts,
    }


def _summary(number: int, release: str, site: str, sites: tuple[str, ...], told: int) -> SummaryManifest:
    said: dict[str, Any] = {"first": 1000 * number, "last": 1000 * number + 999, "size": 1000 * number + 1000}
    said |= {"site": site, "sites": sites, "release": release, "labels": CODES, "decisions": told, "patients": told}
    return SummaryManifest.model_construct(**said, suppressed=("wrong.label-00",), root="0" * 64, since=0, proof=())


def _told(site: str, subject: str) -> Entry:
    said: dict[str, Any] = {"federation": FEDERATION, "at": AT, "event": "accepted", "site": site, "kind": "summary"}
    return Entry.model_construct(**said, subject=subject, envelope="{}")
