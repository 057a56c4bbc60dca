"""Who weighs how much: heat maps of experts by labels, the table behind them, and shares beside effects of removal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from federated.audit_pages.index import Expert, Release
from federated.audit_pages.room import PER_PAGE, Room, percent
from federated.pages.gauges import Twin, twin_bars
from federated.pages.paging import pager
from federated.pages.plots import heat_map
from federated.pages.svg import Svg
from federated.web.exchange import Attachment, Rendered, Seen

MEASURES = {
    "evidence": (
        "share of the evidence",
        "Of the evidence behind an answer with this label, the mean share of the expert.",
    ),
    "contributions": ("contribution to the score", "What the expert added to the score of the label, on average."),
    "weights": ("weight", "How much the expert was let speak, from 0, foreign to the image, to 1, on average."),
}


RELEASES = 40  # beside each other


def weights(room: Room, seen: Seen) -> Rendered:
    """Experts by labels, of one release."""
    release, measure = room.chosen(seen), measure_of(seen)
    pages = pager(len(release.facts["sites"]), seen.query, rows=PER_PAGE)
    found = room.index.experts(release.place, pages.start, PER_PAGE)
    sums = room.index.sums(release.place)
    context = {
        "heading": f"Who weighs how much in release {release.number}",
        "release": release,
        "choice": room.choice(release, {"measure": measure}),
        "measure": measure,
        "measures": MEASURES,
        "plot": plot(release, found, measure) if sums else None,
        "rows": [(expert.card.site, *map(_figure, _of(expert, measure, release))) for expert in found] if sums else [],
        "sums": sums,
        "pager": pages,
        "over": over_releases(room, release, [expert.card.site for expert in found]) if sums else None,
        "removals": removals(room),
    }
    return Rendered("audit_weights.html", context)


def measure_of(seen: Seen) -> str:
    """What is shown; what is not known is the first."""
    asked = seen.query.get("measure", "")
    return asked if asked in MEASURES else next(iter(MEASURES))


def _of(expert: Expert, measure: str, release: Release) -> Sequence[float | None]:
    found: Sequence[float | None] = getattr(expert, measure)
    return found or [None] * len(release.concepts)


def plot(release: Release, found: Sequence[Expert], measure: str) -> Svg:
    """The heat map."""
    names = [expert.card.site for expert in found]
    values = [_of(expert, measure, release) for expert in found]
    title = f"Mean {MEASURES[measure][0]}, experts by labels that were answered"
    return heat_map(names, release.concepts, values, title=title, most=1.0 if measure == "weights" else None)


def over_releases(room: Room, release: Release, sites: Sequence[str]) -> Svg | None:
    """Experts by releases, up to the one that is shown; nothing where there is only one."""
    numbers, shares = room.index.shares(sites, release.place, RELEASES)
    if len(numbers) < 2:
        return None
    return heat_map(
        sites, [str(number) for number in numbers], shares, title="Share of the evidence, experts by releases"
    )


def table(room: Room, seen: Seen) -> Attachment:
    """All three measures of all experts of a release, to be kept."""
    release, text = room.chosen(seen), io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("release", "expert", "label", *MEASURES))
    for expert in room.index.experts(release.place, 0, len(release.facts["sites"])):
        columns = [_of(expert, measure, release) for measure in MEASURES]
        for concept, *parts in zip(release.concepts, *columns, strict=True):
            figures = ("" if part is None else repr(part) for part in parts)
            writer.writerow((release.number, _cell(expert.card.site), _cell(concept), *figures))
    return Attachment(text.getvalue().encode(), "text/csv; charset=utf-8", f"weights-release-{release.number}.csv")


def _cell(words: str) -> str:
    """Words that no spreadsheet takes for a formula."""
    return f"'{words}" if words[:1] in {"=", "+", "-", "@", "\t"} else words


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def removals(room: Room) -> dict[str, object] | None:
    """What is displayed of each expert beside what its removal changes, over decisions that were opened."""
    rows = room.index.rows(
        "SELECT site, decisions, share, effect, changed FROM removals ORDER BY effect DESC LIMIT ?", PER_PAGE
    )
    if not rows:
        return None
    twins = [Twin(site, share, effect, percent(share), f"{effect:.3f}") for site, _, share, effect, _ in rows]
    title = "Shares of the evidence beside what removal does"
    left, right = "mean share of the evidence", "mean size of the score's change without it"
    return {
        "plot": twin_bars(twins, title=title, left=left, right=right, most=1.0),
        "rows": [_removal(row) for row in rows],
        "decisions": max(count for _, count, _, _, _ in rows),
    }


def _removal(row: tuple[str, int, float, float, int]) -> tuple[str, ...]:
    site, count, share, effect, changed = row
    return site, f"{count:,}", percent(share), f"{effect:.3f}", f"{changed:,}"
