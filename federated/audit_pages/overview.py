"""The first page: is the record sound, what happened when, and how answers fared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from federated.audit.outcome import Audit, Check
from federated.audit_pages.room import Room
from federated.pages.plots import Line, Mark, lines, timeline
from federated.pages.svg import Svg
from federated.web.exchange import Rendered, Seen

LANES = {
    "hospitals join": "s5",
    "approvers": "s5",
    "contributions": "s0",
    "reports": "s7",
    "candidates": "s6",
    "releases": "s3",
    "adoptions": "s2",
    "told of answers": "s1",
    "taken back": "differ",
    "refused": "s4",
}
UNVERIFIED = (
    "No keys were given from outside, so that signatures say nothing: whoever made the bundle may have made the keys. "
    "Take keys.toml from the hospitals, and start the pages with --trust."
)
POINTS = 200  # of a curve


def verdict(audits: Sequence[Audit], *, trusted: bool) -> tuple[str, str, str]:
    """How the note is coloured, its heading, and what it says."""
    checks = [(audit, check) for audit in audits for check in audit.checks]
    wrong = next(((audit, check) for audit, check in checks if check.ok is False), None)
    if wrong:
        audit, check = wrong
        return "bad", "Something is wrong with this record", f"{audit.file}, {check.name}: {check.found}"
    if not trusted:
        return "warn", "Keys unverified", UNVERIFIED
    left = sum(check.ok is None for _, check in checks)
    more = f" {left} could not be taken, since files are not here or nobody vouches." if left else ""
    return "good", "Nothing wrong was found", f"{len(checks) - left} steps of verification passed.{more}"


def by_kind(audits: Sequence[Audit]) -> list[Check]:
    """What was verified, one line a kind of thing."""
    kinds = dict.fromkeys(audit.kind for audit in audits)
    return [_together(kind, [audit for audit in audits if audit.kind == kind]) for kind in kinds]


def _together(kind: str, audits: Sequence[Audit]) -> Check:
    checks = [check for audit in audits for check in audit.checks]
    wrong = [check for check in checks if check.ok is False]
    if wrong:
        return Check(name=kind, ok=False, found=f"{wrong[0].name}: {wrong[0].found}")
    passed, left = (sorted({check.name for check in checks if check.ok is ok}) for ok in (True, None))
    said = [f"passed: {', '.join(passed)}"] if passed else []
    said += [f"left open: {', '.join(left)}"] if left else []
    return Check(name=kind, ok=True if passed else None, found="; ".join(said))


def overview(room: Room, _: Seen) -> Rendered:
    """The page."""
    index = room.index
    colour, heading, said = verdict(index.audits, trusted=room.trust is not None)
    context = {
        "heading": f"The record of {index.federation}",
        "verdict": {"colour": colour, "heading": heading, "said": said},
        "tiles": _tiles(room),
        "timeline": history(index.fact("times")),
        "course": _course(room),
        "checks": by_kind(index.audits),
        "left_out": index.fact("left out"),
    }
    return Rendered("audit_overview.html", context)


def _tiles(room: Room) -> list[tuple[str, str]]:
    index, kinds = room.index, room.index.fact("kinds")
    counts = (
        (index.count("SELECT count(*) FROM entries"), "entries in the log"),
        (index.count("SELECT count(DISTINCT site) FROM experts"), "experts"),
        (len(index.places), "releases"),
        (sum(kinds.get(kind, 0) for kind in ("statistics", "features", "weights", "consultation")), "contributions"),
        (index.count("SELECT coalesce(sum(decisions), 0) FROM sums"), "answers told of"),
        (index.count("SELECT count(*) FROM decisions"), "answers opened or predicted"),
    )
    return [(f"{count:,}", what) for count, what in counts]


def history(times: Sequence[tuple[str, float, int]]) -> Svg | None:
    """What happened when; nothing where there is no log."""
    if not times:
        return None
    lanes = [lane for lane in LANES if any(lane == each for each, _, _ in times)]
    moments = [at for _, at, _ in times]
    first, last = min(moments), max(moments)
    marks = [Mark(lane, at, LANES[lane], f"{moment(at, last - first)}: {count} {lane}") for lane, at, count in times]
    ticks = {at: moment(at, last - first) for at in (first, last)}
    return timeline(lanes, marks, title="What happened when", ticks=ticks)


def moment(at: float, span: float) -> str:
    """A moment, for a person; `span` of seconds says how exactly."""
    form = "%Y-%m-%d" if span > 7 * 86400 else "%Y-%m-%d %H:%M" if span > 3600 else "%H:%M:%S"
    return f"{datetime.fromtimestamp(at, UTC):{form}}"


def _course(room: Room) -> Svg | None:
    """Over releases: how well hospitals' own clips are answered, and how much of the evidence is nobody's."""
    course = room.index.fact("course")
    rights = [(number, facts) for number, facts in room.index.rows(_BALANCED) if facts is not None]
    curves = [
        Line("right at hospitals", _thinned([(float(number), float(share)) for number, share in rights]), "s3"),
        Line("answered", _thinned([(float(one["release"]), one["answered"]) for one in course]), "s0"),
        Line("nobody knows", _thinned([(float(one["release"]), one["prior"]) for one in course]), "nobody"),
        Line("sites disagree", _thinned([(float(one["release"]), one["disagreement"]) for one in course]), "differ"),
    ]
    curves = [curve for curve in curves if curve.points]
    if not curves:
        return None
    title = "How answers fared, release by release"
    return lines(curves, title=title, x_axis="release", y_axis="share", low=0.0, high=1.0)


_BALANCED = "SELECT number, json_extract(facts, '$.balanced') FROM releases ORDER BY place"


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most so many points, the last one always among them."""
    step = max(1, -(-len(points) // POINTS))
    return [*points[:-1:step], *points[-1:]]
