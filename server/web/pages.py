"""The coordinator's pages, each an answer to one question; they read the registry and change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from federated.envelope import PREDICATE_TYPE, Passage
from federated.log.entries import Entry, read_entry
from federated.pages.paging import pager
from federated.pages.plots import Line, Mark, Value, bar, lines, timeline
from federated.statements import read_statement
from federated.web.exchange import Answer, Missing, Rendered, Route, Seen
from server.artefacts import Artefacts
from server.log import log_facts, open_log
from server.registry import ParcelRow, Registry
from server.web import rows
from server.web.figures import Figures, ReleaseFigures

if TYPE_CHECKING:
    from server.home import CoordinatorHome

VIEWER = "viewer"
NAV = (
    ("/", "Overview"),
    ("/sites", "Hospitals"),
    ("/releases", "Releases"),
    ("/quarantine", "Quarantine"),
    ("/log", "Log"),
)
LANES = 24  # sites on the timeline
CURVE = 200  # releases on a curve
COLOURS = {"arrival": "s0", "withdraw": "s4", "release": "s3", "roll back": "s2", "recall": "s1"}
KEY = {
    COLOURS[what]: name
    for what, name in (
        ("arrival", "contribution"),
        ("withdraw", "withdrawal"),
        ("release", "release"),
        ("roll back", "brought back"),
        ("recall", "recall"),
    )
}
PER_PAGE = 25


class Pages:
    """What the pages show of a coordinator's home."""

    def __init__(self, home: CoordinatorHome) -> None:
        self.home = home
        self.registry = Registry(home.registry_url)
        self.figures = Figures(Artefacts(home.artefacts_path))

    @property
    def routes(self) -> list[Route]:
        """All of them, for whoever may look."""
        shown = {
            "/": self.overview,
            "/sites": self.sites,
            "/sites/{name}": self.one_site,
            "/releases": self.releases,
            "/releases/{number}": self.one_release,
            "/quarantine": self.quarantine,
            "/log": self.log,
        }
        return [Route(path, VIEWER, endpoint) for path, endpoint in shown.items()]

    def read(self) -> Iterator[tuple[int, int]]:
        """Reads what every page needs before somebody waits for one: how many of how many releases are read."""
        with self._reading() as session:
            made = rows.releases(session)
            rows.choices(session, self.figures, [row.digest for row in made[-PER_PAGE:]])
        for number, row in enumerate(made, 1):
            self.figures.release(row.digest)
            yield number, len(made)

    def overview(self, _: Seen) -> Answer:
        """What has happened, and what waits for somebody."""
        with self._reading() as session:
            states = rows.states(session)
            made = rows.releases(session)
            numbers = {row.digest: row.number for row in made} | {row.recall: row.number for row in made if row.recall}
            happened = rows.timeline(session, numbers)
            waits = rows.waits_for(session, self.figures)
            quarantined = len(rows.quarantined(session))
            last = rows.events(session, PER_PAGE)
        facts = log_facts(self.home, 1)
        newest = made[-1] if made else None
        enrolled = sum(state == "enrolled" for state in states.values())
        tiles = [
            (str(enrolled), "hospitals enrolled"),
            (str(newest.number) if newest else "none", f"newest release, {newest.state}" if newest else "release"),
            (str(quarantined), "in quarantine"),
            (f"{facts.entries:,}", "entries in the log"),
            (f"{facts.witnessed:,}", f"of them witnessed by {len(facts.by)} hospitals"),
        ]
        config = self.home.config
        return Rendered(
            "overview.html",
            {
                "heading": config.federation,
                "about": f"Coordinator {config.name}; {config.task}; fused by {config.fusion}.",
                "tiles": tiles,
                "waits": waits,
                "plot": _timeline(happened, list(states)),
                "hidden": max(0, len(states) - LANES),
                "events": last,
            },
        )

    def sites(self, seen: Seen) -> Answer:
        """Every hospital: what it gives, what it lets go on, and which release it uses."""
        with self._reading() as session:
            names = rows.site_names(session)
            part = pager(len(names), seen.query, rows=PER_PAGE)
            found = rows.site_states(session, self.figures, names[part.part])
            made = rows.releases(session)
        context = {
            "heading": "Hospitals",
            "sites": found,
            "pager": part,
            "newest": made[-1].number if made else 0,
            "gone": {row.number: row.state for row in made if row.state != "standing"},
        }
        return Rendered("sites.html", context)

    def one_site(self, seen: Seen) -> Answer:
        """One hospital: each parcel, under which rule of its own it left."""
        name = seen.path["name"]
        with self._reading() as session:
            if name not in rows.states(session):
                raise Missing("There is no such hospital.")
            (state,) = rows.site_states(session, self.figures, [name])
            part = pager(rows.parcel_count(session, name), seen.query, rows=PER_PAGE)
            shown = [self._parcel(row) for row in rows.parcels(session, name, part.part)]
            policies = [self._policy(row) for row in rows.newest_of_kinds(session, name)]
        context = {"heading": name, "site": state, "parcels": shown, "pager": part, "policies": policies}
        return Rendered("site.html", context)

    def releases(self, seen: Seen) -> Answer:
        """How well each release answered, and what it cost."""
        with self._reading() as session:
            made = rows.releases(session)
            part = pager(len(made), seen.query, rows=PER_PAGE)
            shown = made[::-1][part.part]
            chosen = rows.choices(session, self.figures, [row.digest for row in shown])
        found = [(row, each) for row in made if (each := self.figures.release(row.digest)) is not None]
        context = {
            "heading": "Releases",
            "accuracy": _accuracy(found[-CURVE:]),
            "cost": _cost(found, self.figures),
            "releases": [self._release(row, chosen[row.digest]) for row in shown],
            "pager": part,
        }
        return Rendered("releases.html", context)

    def one_release(self, seen: Seen) -> Answer:
        """One release: what it was made of, how well it did, who uses it."""
        with self._reading() as session:
            row = next((row for row in rows.releases(session) if str(row.number) == seen.path["number"]), None)
            if row is None:
                raise Missing("There is no such release.")
            choices = rows.choices_of(session, self.figures, row.digest)
        found, manifest = self.figures.release(row.digest), self.figures.manifest(row.digest)
        if found is None or manifest is None:
            raise Missing("Its bytes cannot be read any more; restore them from a backup.")
        bars = [Value(site, share, f"{share:.1%}") for site, share in sorted(found.accuracy.items())]
        context = {
            "heading": f"Release {row.number}",
            "release": row,
            "manifest": manifest,
            "figures": found,
            "choices": choices,
            "plot": bar(bars, title="Right answers on each hospital's own held-back patients", most=1.0),
        }
        return Rendered("release.html", context)

    def quarantine(self, seen: Seen) -> Answer:
        """What was not let in, and why."""
        with self._reading() as session:
            strangers, wrong = rows.quarantined(session), rows.rejected(session)
        found = [("no parcel of anybody known", *row) for row in strangers] + [("wrong content", *row) for row in wrong]
        found.sort(key=lambda row: row[1], reverse=True)
        part = pager(len(found), seen.query)
        return Rendered("quarantine.html", {"heading": "Quarantine", "rows": found[part.part], "pager": part})

    def log(self, seen: Seen) -> Answer:
        """The log, the newest entries first."""
        facts, journal = log_facts(self.home, 1), open_log(self.home)
        part = pager(journal.size, seen.query)
        end = journal.size - part.start
        begin = max(0, end - part.rows)
        found = [read_entry(data).predicate for data in journal.entries(begin, end)]
        shown = [_entry(number, entry) for number, entry in zip(range(begin, end), found, strict=True)][::-1]
        return Rendered("log.html", {"heading": "The log", "facts": facts, "rows": shown, "pager": part})

    def _policy(self, row: ParcelRow) -> tuple[str, str, str, str, str]:
        """Kind, approval, filters and policy of a parcel: what the hospital allows."""
        passage = read_statement(self.figures.artefacts.get(row.envelope), PREDICATE_TYPE, Passage).predicate
        filters = ", ".join(f"{name} {verdict}" for name, verdict in sorted(passage.filters.items()))
        policy = (passage.policy or "").removeprefix("sha256:")[:12]
        return row.kind, passage.approval, filters or "none", policy or "needs none", rows.when(row.received)

    def _parcel(self, row: ParcelRow) -> tuple[str, ...]:
        told = self.figures.parcel(row.digest) if row.state != "refused" else None
        size = f"{told.bytes:,}" if told else ""
        patients = f"{told.patients:,}" if told and told.patients is not None else ""
        state = row.state if row.state != "refused" else f"refused: {row.reason}"
        return str(row.sequence), rows.when(row.received), row.kind, row.batch or "", patients, size, state

    def _release(self, row: rows.Made, chosen: Mapping[str, int]) -> dict[str, Any]:
        found = self.figures.release(row.digest)
        return {
            "row": row,
            "found": found,
            "chosen": ", ".join(f"{count} {choice}" for choice, count in sorted(chosen.items())) or "nobody yet",
        }

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self.registry.transaction() as session:
            yield session


def _timeline(happened: Sequence[rows.Happened], sites: Sequence[str]) -> str:
    lanes = ["releases", *sites[:LANES]]
    marks = [Mark(each.lane, each.at, COLOURS[each.what], each.said) for each in happened if each.lane in lanes]
    ends = {marks[0].at, marks[-1].at} if marks else set()
    ticks = {at: f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}" for at in ends}
    return timeline(lanes, marks, title="Arrivals and releases", ticks=ticks, key=KEY)


def _accuracy(found: Sequence[tuple[rows.Made, ReleaseFigures]]) -> str | None:
    known = [(float(row.number), each) for row, each in found if each.mean is not None]
    if not known:
        return None
    curves = [
        Line("mean", [(number, each.mean or 0.0) for number, each in known], "s0"),
        Line("worst hospital", [(number, each.worst[1]) for number, each in known if each.worst], "s3"),
    ]
    title = "Balanced accuracy on held-back patients, release by release"
    return lines(curves, title=title, x_axis="release", y_axis="balanced accuracy", low=0.0, high=1.0)


def _cost(found: Sequence[tuple[rows.Made, ReleaseFigures]], figures: Figures) -> str | None:
    """Bytes of the contributions that the release before had not, of the newest releases."""
    before = [frozenset[str](), *(each.contributions for _, each in found[:-1])]
    bars = []
    for (row, each), known in list(zip(found, before, strict=False))[-PER_PAGE:]:
        told = [figures.parcel(name) for name in each.contributions - known]
        size = sum(one.bytes for one in told if one is not None)
        bars.append(Value(f"release {row.number}", size, _bytes(size)))
    return bar(bars, title="Bytes of contributions that the release before had not") if bars else None


def _bytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def _entry(number: int, entry: Entry) -> tuple[str, ...]:
    about = (entry.subject or "").removeprefix("sha256:")[:12]
    release = "" if entry.number is None else str(entry.number)
    signed = "its own" if entry.envelope else ""
    return str(number), rows.when(entry.at), entry.event, entry.site or "", entry.kind or "", release, about, signed
