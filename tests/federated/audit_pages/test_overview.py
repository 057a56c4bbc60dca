"""The verdict is never better than what was verified."""

from __future__ import annotations

import pytest

from federated.audit.outcome import Audit, Check
from federated.audit_pages.overview import POINTS, _thinned, by_kind, history, moment, overview, verdict
from federated.audit_pages.room import Room
from federated.web.access import Person
from federated.web.exchange import Seen

READER = Person("ada", "reader", "token", "ada")


def _audit(*oks: bool | None, kind: str = "log") -> Audit:
    checks = tuple(Check(name=f"step {place}", ok=ok, found=f"found {place}") for place, ok in enumerate(oks))
    return Audit(file=f"a {kind}", kind=kind, digest=None, checks=checks)


@pytest.mark.parametrize(
    ("oks", "trusted", "colour", "said"),
    [
        ((True, True), True, "good", "2 steps of verification passed."),
        ((True, None), True, "good", "1 could not be taken"),
        ((True, True), False, "warn", "No keys were given from outside"),
        ((True, False, None), True, "bad", "a log, step 1: found 1"),
        ((False,), False, "bad", "found 0"),
    ],
)
def test_the_verdict(oks: tuple[bool | None, ...], trusted: bool, colour: str, said: str) -> None:
    found = verdict([_audit(*oks)], trusted=trusted)
    assert found[0] == colour
    assert said in found[2]


def test_of_each_kind_the_worst_is_told() -> None:
    found = by_kind([_audit(True, kind="report"), _audit(None, kind="draw"), _audit(True, False, kind="report")])
    assert [(check.name, check.ok) for check in found] == [("report", False), ("draw", None)]
    assert found[0].found == "step 1: found 1"


def test_a_record_with_its_keys_is_sound_and_without_it_is_not_known(room: Room) -> None:
    answers = [overview(each, Seen(READER)) for each in (room, Room(room.index, room.bundle, None))]
    colours = [answer.context["verdict"]["colour"] for answer in answers]
    assert colours == ["good", "warn"]


def test_moments_are_as_exact_as_they_differ() -> None:
    assert [moment(0.0, span) for span in (10, 7200, 10**7)] == ["00:00:00", "1970-01-01 00:00", "1970-01-01"]


def test_no_log_no_history() -> None:
    assert history([]) is None
    plot = history([("releases", 0.0, 1), ("reports", 5.0, 2)])
    assert plot is not None
    assert "00:00:05: 2 reports" in plot
    assert "how many dots in each lane: reports: 1; releases: 1" in plot


def test_a_long_curve_is_thinned_and_ends_where_it_ends() -> None:
    points = [(float(n), 0.0) for n in range(1001)]
    found = _thinned(points)
    assert len(found) <= POINTS + 1
    assert (found[0], found[-1]) == (points[0], points[-1])
    assert _thinned([]) == []
