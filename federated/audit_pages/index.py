"""The index of a bundle, as pages read it: each question one statement, answered from what was made for it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from federated.audit.explain import Explanation
from federated.audit.outcome import Audit
from federated.audit_pages.cards import Card
from federated.audit_pages.tally import Floats, means, unpacked
from federated.decision_summary import REST


@dataclass(frozen=True)
class Release:
    """One release; `facts` are those of `building.release_facts`, with its concepts."""

    place: int
    digest: str
    number: int
    facts: dict[str, Any]

    @property
    def concepts(self) -> list[str]:
        """What it may answer with: its labels, then those above them."""
        return list(self.facts["concepts"])


@dataclass(frozen=True)
class Sums:
    """Of all summaries of one release; arrays as in `tally.Tally`."""

    summaries: int
    decisions: int
    patients: int
    suppressed: int
    answered: Floats
    abstained: Floats
    rest: Floats
    flagged: Floats
    wrong: Floats
    confident: Floats


@dataclass(frozen=True)
class Expert:
    """One site in one release; the means are over answers with each concept, None where there was none."""

    release: int
    card: Card
    weights: list[float | None]
    contributions: list[float | None]
    evidence: list[float | None]
    qualified: float | None
    share: float | None


class Index:
    """One file, read by any number of threads.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._local = path, threading.local()

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """What a statement answers."""
        if not hasattr(self._local, "db"):
            self._local.db = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        found: list[Any] = self._local.db.execute(statement, values).fetchall()
        return found

    def count(self, statement: str, *values: Any) -> int:
        """A number that a statement answers."""
        return int(self.rows(statement, *values)[0][0])

    def fact(self, name: str) -> Any:
        """Something there is one of."""
        return json.loads(self.rows("SELECT value FROM facts WHERE name = ?", name)[0][0])

    @cached_property
    def federation(self) -> str:
        """Whose record it is."""
        return str(self.fact("federation"))

    @cached_property
    def audits(self) -> list[Audit]:
        """What was verified, part by part, and what was found."""
        return [Audit.model_validate_json(json.dumps(each)) for each in self.fact("audits")]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Digest of each release -> its number."""
        return dict(self.rows("SELECT digest, number FROM releases"))

    @cached_property
    def places(self) -> list[int]:
        """Of the releases, in their order."""
        return [place for (place,) in self.rows("SELECT place FROM releases ORDER BY place")]

    @cached_property
    def told_of(self) -> list[int]:
        """Places of the releases that summaries tell of."""
        return [place for (place,) in self.rows("SELECT release FROM sums ORDER BY release")]

    def release(self, place: int) -> Release | None:
        """A release by its place among all."""
        found = self.rows("SELECT place, digest, number, facts FROM releases WHERE place = ?", place)
        return _release(found[0]) if found else None

    def releases(self, start: int, count: int) -> list[Release]:
        """Some releases, the newest first."""
        order = "SELECT place, digest, number, facts FROM releases ORDER BY place DESC LIMIT ? OFFSET ?"
        return [_release(row) for row in self.rows(order, count, start)]

    def beside(self, place: int, site: str | None = None) -> tuple[int | None, int | None]:
        """Numbers of the releases before and after one, of those that hold a site if one is named."""
        found = []
        for statement in (BEFORE, AFTER):
            rows = self.rows(statement, place, site, site)
            found.append(int(rows[0][0]) if rows else None)
        return found[0], found[1]

    def sums(self, release: int) -> Sums | None:
        """What summaries told of a release; None where none did."""
        found = self.rows("SELECT * FROM sums WHERE release = ?", release)
        if not found:
            return None
        _, *counts, answered, abstained, rest, flagged, wrong, confident = found[0]
        arrays = [unpacked(each) for each in (answered, abstained, rest, flagged, wrong, confident)]
        arrays[2] = arrays[2].reshape(-1, len(REST))
        return Sums(*counts, *arrays)

    def experts(self, release: int, start: int, count: int) -> list[Expert]:
        """Experts of a release, in its order."""
        many = "SELECT * FROM experts WHERE release = ? ORDER BY place LIMIT ? OFFSET ?"
        return self._with_means(release, self.rows(many, release, count, start))

    def expert(self, release: int, site: str) -> Expert | None:
        """One of them."""
        found = self.rows("SELECT * FROM experts WHERE release = ? AND site = ?", release, site)
        return next(iter(self._with_means(release, found)), None)

    def _with_means(self, release: int, rows: Sequence[Any]) -> list[Expert]:
        sums = self.sums(release)
        return [_expert(row, sums) for row in rows]

    def shares(self, sites: Sequence[str], upto: int, count: int) -> tuple[list[int], list[list[float | None]]]:
        """Of some sites the share of the evidence behind answers, over the last releases that summaries tell of.

        Args:
            sites: one row each.
            upto: place of the last release.
            count: of releases, at most.

        Returns:
            Numbers of the releases, and the shares; None where a release does not hold the site.
        """
        places = [place for place in self.told_of if place <= upto][-count:]
        numbers = dict(self.rows("SELECT place, number FROM releases"))
        rows = []
        for site in sites:
            found = dict(self.rows(SHARES, site, *(places[:1] or [0]), upto))
            rows.append([found.get(place) for place in places])
        return [int(numbers[place]) for place in places], rows

    def decision(self, number: int) -> tuple[str, str | None, Explanation] | None:
        """Where a decision comes from, whose it is, and the decision explained."""
        found = self.rows("SELECT source, site, explanation FROM decisions WHERE id = ?", number)
        if not found:
            return None
        source, site, explained = found[0]
        return source, site, Explanation.model_validate_json(explained)

    def entry_of(self, subject: str) -> int | None:
        """The first entry of the log that is about something."""
        found = self.rows("SELECT min(number) FROM entries WHERE subject = ?", subject)
        return None if found[0][0] is None else int(found[0][0])


SHARES = "SELECT release, share FROM experts WHERE site = ? AND release BETWEEN ? AND ?"
BEFORE = """
SELECT number FROM releases WHERE place < ? AND (? IS NULL OR place IN (SELECT release FROM experts WHERE site = ?))
ORDER BY place DESC LIMIT 1
"""
AFTER = """
SELECT number FROM releases WHERE place > ? AND (? IS NULL OR place IN (SELECT release FROM experts WHERE site = ?))
ORDER BY place LIMIT 1
"""


def _release(row: Sequence[Any]) -> Release:
    place, digest, number, facts = row
    return Release(place, digest, number, json.loads(facts))


def _expert(row: Sequence[Any], sums: Sums | None) -> Expert:
    release, _, _, card, *arrays, qualified, share = row
    nothing: list[float | None] = []
    found = [means(unpacked(each), sums.answered) if sums and each else nothing for each in arrays]
    return Expert(release, Card.model_validate_json(card), found[0], found[1], found[2], qualified, share)
