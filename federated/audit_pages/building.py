"""Reads a bundle once, into its index."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from federated.audit.bundle import Bundle, Head
from federated.audit.explain import Evidence, Explanation, explain
from federated.audit.given import Decisions, Given
from federated.audit.outcome import Audit
from federated.audit_pages import schema
from federated.audit_pages.cards import Card, cards_of
from federated.audit_pages.tally import Tally, packed
from federated.contract import Tensors
from federated.decision_summary import FLAGS, REST, concepts_of
from federated.errors import ConsiliumError, ContractError
from federated.log.entries import Entry
from federated.manifest import ReleaseManifest, ReportManifest, SummaryManifest

MAX_DECISIONS = 20_000  # that are looked at one by one
REFIT_SECONDS = 60.0  # for fits without each site, over all decisions that were opened


class Builder:
    """Fills an index: releases first, then what is about them; `finish` writes the sums."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + schema.TABLES + "BEGIN;")
        self._places: dict[str, int] = {}
        self._tallies: dict[str, Tally] = {}
        self._numbers: list[int] = []

    def fact(self, name: str, value: Any) -> None:
        """Something there is one of."""
        self._db.execute(schema.FACT, (name, json.dumps(value)))

    def entry(self, number: int, entry: Entry) -> None:
        """An entry of the log."""
        said = (entry.at, entry.event, entry.site, entry.kind, entry.subject, entry.concerns, entry.number)
        more = (entry.choice, entry.plan, len(entry.approvals), entry.envelope is not None)
        self._db.execute(schema.ENTRY, (number, *said, *more))

    def release(self, digest: str, manifest: ReleaseManifest, cards: Iterable[Card], why: str | None) -> None:
        """A release with its experts, in the order of releases."""
        place, concepts = len(self._places), concepts_of(manifest)
        self._places[digest] = place
        self._numbers.append(manifest.number)
        self._tallies[digest] = Tally(concepts, tuple(site.name for site in manifest.sites))
        held = list(cards)
        facts = release_facts(manifest, held) | {"concepts": concepts, "why": why}
        self._db.execute(schema.RELEASE, (place, digest, manifest.number, json.dumps(facts)))
        rows = ((place, card.site, index, card.model_dump_json()) for index, card in enumerate(held))
        self._db.executemany(schema.EXPERT, rows)

    def summary(self, digest: str, manifest: SummaryManifest, tensors: Tensors) -> None:
        """What a site told of its answers.

        Raises:
            ContractError: it is of a release that is not here, or of other labels or sites than that one's.
        """
        tally = self._tallies.get(manifest.release)
        if tally is None or (tally.labels, tally.sites) != (manifest.labels, manifest.sites):
            raise ContractError("is of a release that is not here, or not like it", where=f"summary {digest}")
        tally.add(manifest, tensors)
        counts = [manifest.decisions, manifest.patients, len(manifest.suppressed), int(tensors["answered"].sum())]
        counts += [int(value) for value in tensors["abstained"]]
        counts += [int(tensors[name].sum()) for name in FLAGS]
        rest = tensors["evidence"][:, -len(REST) :].sum(axis=0)
        where = (self._places[manifest.release], manifest.site, manifest.first, manifest.last, digest)
        row = (*where, *counts, packed(rest), packed(tensors["qualified"]))
        self._db.execute(schema.SUMMARY, row)

    def decision(self, source: str, site: str | None, found: Explanation) -> None:
        """An answer with every site's part in it."""
        refitted = any(account.without is not None for account in found.sites)
        said = (source, site, found.image or found.clip, found.release, found.label, found.best, found.standing)
        row = (*said, refitted, found.model_dump_json())
        self._db.execute(schema.DECISION, row)

    def removals(self, found: Mapping[str, Removals]) -> None:
        """What is displayed of each site, beside what changes without it."""
        self._db.executemany(schema.REMOVAL, ((site, *row) for site, row in found.items()))

    def finish(self) -> None:
        """Sums and indexes; nothing may be added after it."""
        self.fact("course", self.course())
        self.fact("times", times(self._db.execute(schema.TIMES).fetchall()))
        for digest, tally in self._tallies.items():
            if tally.summaries:
                self._sums(self._places[digest], tally)
        self._db.executescript(schema.INDEXES + "ANALYZE;")  # which commits what is open
        self._db.close()

    def course(self) -> list[dict[str, Any]]:
        """What became of answers, release by release, of those that summaries tell of."""
        return [
            {
                "release": number,
                "answered": float(tally.answered.sum()) / max(1.0, tally.told),
                "prior": float(tally.evidence[:, -3].sum()) / max(1.0, float(tally.answered.sum())),
                "disagreement": float(tally.evidence[:, -2].sum()) / max(1.0, float(tally.answered.sum())),
            }
            for number, tally in zip(self._numbers, self._tallies.values(), strict=True)
            if tally.summaries
        ]

    def _sums(self, release: int, tally: Tally) -> None:
        sites = len(tally.sites)
        counts = (tally.summaries, tally.decisions, tally.patients, tally.suppressed)
        arrays = (tally.answered, tally.abstained, tally.evidence[:, sites:], *tally.flags)
        row = (release, *counts, *map(packed, arrays))
        self._db.execute(schema.SUMS, row)
        shares = tally.shares()
        rows = (
            (
                *(packed(part[:, place]) for part in (tally.weights, tally.contributions, tally.evidence)),
                float(tally.qualified[place]) / max(1.0, tally.told),
                float(shares[place]),
                release,
                site,
            )
            for place, site in enumerate(tally.sites)
        )
        self._db.executemany(schema.EXPERT_SUMS, rows)


LANES = {
    "hospitals join": ("enrol", "rotate", "revoke"),
    "approvers": ("approver", "approver ended"),
    "contributions": ("accepted",),
    "candidates": ("candidate", "plan"),
    "releases": ("release",),
    "taken back": ("withdraw", "recall", "roll back", "dropped", "average stopped"),
    "refused": ("rejected", "quarantined"),
}
"""What entries are shown under."""
NUMBERS = {"report": "reports", "summary": "told of answers", "decision": "told of answers", "adoption": "adoptions"}
SLOTS = 120  # of a timeline


def times(rows: Iterable[tuple[str, str, str | None, int]]) -> list[tuple[str, float, int]]:
    """How many entries of each lane lie in each slot of time, as (lane, seconds since 1970, entries)."""
    found = [(_lane(event, kind), _seconds(at), count) for at, event, kind, count in rows]
    moments = [moment for _, moment, _ in found]
    first, last = min(moments, default=0.0), max(moments, default=0.0)
    width = (last - first) / SLOTS or 1.0
    slots: dict[tuple[str, float], int] = {}
    for lane, moment, count in found:
        slot = first + width * int((moment - first) / width)
        slots[lane, slot] = slots.get((lane, slot), 0) + count
    return [(lane, slot, count) for (lane, slot), count in sorted(slots.items()) if lane]


def _lane(event: str, kind: str | None) -> str:
    if event == "accepted" and kind in NUMBERS:
        return NUMBERS[kind]
    return next((lane for lane, events in LANES.items() if event in events), "")


def _seconds(at: str) -> float:
    return datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


Removals = tuple[int, float, float, int]


def release_facts(manifest: ReleaseManifest, cards: Iterable[Card]) -> dict[str, Any]:
    """What is the same for all experts of a release; `balanced` is the mean of all (site, label) recalls."""
    recalls = [right / clips for card in cards for right, clips in card.recalls.values()]
    return {
        "previous": manifest.previous,
        "candidate": manifest.candidate,
        "rule": manifest.rule,
        "weighting": manifest.weighting,
        "alpha": manifest.alpha,
        "temperature": manifest.temperature,
        "front_end": manifest.front_end.name,
        "labels": manifest.labels,
        "sites": [site.name for site in manifest.sites],
        "contributions": sum(len(site.contributions) for site in manifest.sites),
        "patients": sum(sum(site.patients.values()) for site in manifest.sites),
        "balanced": float(np.mean(recalls)) if recalls else None,
    }


def build(path: Path, bundle: Bundle, audits: Iterable[Audit]) -> None:
    """A bundle's index, in a new file.

    Raises:
        ConsiliumError: a member cannot be read, or is not what it should be.
    """
    builder, left_out = Builder(path), []
    builder.fact("federation", bundle.federation)
    builder.fact("kinds", bundle.kinds())
    builder.fact("audits", [audit.model_dump(mode="json") for audit in audits])
    for number, entry in enumerate(bundle.entries()):
        builder.entry(number, entry)
    reports = set(bundle.digests("report"))
    for head in bundle.releases():
        builder.release(
            head.digest, head.manifest, cards_of(head.manifest, _confusions(bundle, head, reports)), head.why
        )
    for opened in bundle.summaries():
        try:
            builder.summary(opened.digest, opened.manifest, opened.tensors)
        except ContractError as error:
            left_out.append(str(error))
    left_out += _decisions(builder, bundle)
    builder.fact("left out", left_out[:100])
    builder.finish()


def _confusions(bundle: Bundle, release: Head, reports: set[str]) -> dict[str, list[list[int]]]:
    """Of each site whose report is here whole, and of this release's candidate."""
    found = {}
    for site in release.manifest.sites:
        if site.report in reports and bundle.head(site.report).why is None:
            report = bundle.opened(site.report)
            if isinstance(report.manifest, ReportManifest) and report.manifest.candidate == release.manifest.candidate:
                found[site.name] = report.tensors["confusion"].tolist()
    return found


def _decisions(builder: Builder, bundle: Bundle) -> list[str]:
    """Explains what was opened and what was predicted; what could not be."""
    left_out = list[str]()
    given, deadline = Decisions(bundle.path, None, None), time.monotonic() + REFIT_SECONDS
    refitted: dict[str, list[tuple[float, float, bool]]] = {}
    for number, one in enumerate(given):
        if number >= MAX_DECISIONS:
            left_out.append(f"decisions after the first {MAX_DECISIONS}")
            break
        try:
            found = _explained(given, one, refit=time.monotonic() < deadline)
        except ConsiliumError as error:
            left_out.append(str(error))
            continue
        builder.decision(one.opened.digest if one.opened else "predictions", _site_of(one), found)
        for account in found.sites:
            if account.without is not None:
                changed = account.without.best != found.best or account.without.withheld
                part = (account.evidence or 0.0, account.without.effect, changed)
                refitted.setdefault(account.site, []).append(part)
    builder.removals({site: _mean(parts) for site, parts in refitted.items()})
    return left_out


def _site_of(one: Given) -> str | None:
    return one.opened.manifest.site if one.opened else None


def _explained(given: Decisions, one: Given, *, refit: bool) -> Explanation:
    model = given.model(one.decision)
    features = one.opened.tensors.get("features") if one.opened and refit else None
    return explain(one.decision, Evidence(model, features))


def _mean(parts: list[tuple[float, float, bool]]) -> Removals:
    """How many decisions, the mean share, the mean size of the effect, and how many answers change."""
    shares, effects, changed = zip(*parts, strict=True)
    return len(parts), float(np.mean(shares)), float(np.mean(np.abs(effects))), sum(changed)
