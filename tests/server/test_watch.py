from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server.event import Answer, EventSummary
from server.intake import Acceptance
from server.watch import AGAIN_SECONDS, Watch, event_line, request_event

if TYPE_CHECKING:
    from tests.server.conftest import World


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("server.watch.time.monotonic", clock)
    return clock


def _answer(site: str, unreached: str = "") -> Answer:
    return Answer(site=site, unreached=unreached, parcels_sent=0, bytes_sent=0, bytes_received=0)


def _summary(*answers: Answer, **changes: object) -> EventSummary:
    fields: dict[str, object] = {
        "federation": "test",
        "accepted": (),
        "rounds": (answers,),
        "candidate": None,
        "release": None,
        "number": None,
        "trouble": "",
        "seconds": 12.34,
    }
    return EventSummary.model_validate(fields | changes)


def test_an_event_is_due_when_a_site_comes_and_when_it_comes_back(world: World, clock: Clock) -> None:
    watch = Watch(world.coordinator.home)
    assert not watch.is_due(set())
    assert watch.is_due({"ada"})
    watch.ran({"ada"}, _summary(_answer("ada")))
    assert not watch.is_due({"ada"})
    assert watch.is_due({"ada", "ben"})
    watch.ran({"ada", "ben"}, _summary(_answer("ada"), _answer("ben")))
    assert not watch.is_due({"ada"})
    assert watch.is_due({"ada", "ben"})


def test_a_site_that_did_not_answer_gets_another_event_but_not_at_once(world: World, clock: Clock) -> None:
    watch = Watch(world.coordinator.home)
    assert watch.is_due({"ada", "ben"})
    watch.ran({"ada", "ben"}, _summary(_answer("ada"), _answer("ben", "late")))
    assert not watch.is_due({"ada", "ben"})
    clock.now += AGAIN_SECONDS
    assert watch.is_due({"ada", "ben"})
    watch.failed()
    assert not watch.is_due({"ada", "ben"})
    clock.now += AGAIN_SECONDS
    assert watch.is_due({"ada", "ben"})


def test_another_event_follows_one_in_which_experts_were_asked(world: World) -> None:
    asked = Acceptance(
        site="ada", kind="consultation", digest="", outcome="accepted", answer="accepted", reason="", size=1
    )
    watch = Watch(world.coordinator.home)
    watch.ran({"ada"}, _summary(_answer("ada"), accepted=(asked,)))
    assert watch.is_due({"ada"})
    watch.ran({"ada"}, _summary(_answer("ada"), accepted=(asked.model_copy(update={"outcome": "same"}),)))
    assert not watch.is_due({"ada"})


def test_an_operator_asks_for_one_event(world: World, clock: Clock) -> None:
    watch = Watch(world.coordinator.home)
    request_event(world.coordinator.home)
    request_event(world.coordinator.home)
    assert watch.is_due(set())
    assert not watch.is_due(set())


def test_an_event_now_and_then(world: World, clock: Clock) -> None:
    watch = Watch(world.coordinator.home, every=60.0)
    watch.ran({"ada"}, _summary(_answer("ada")))
    clock.now += 59
    assert not watch.is_due({"ada"})
    clock.now += 1
    assert watch.is_due({"ada"})


def test_one_line_says_what_came_of_it() -> None:
    digest = "sha256:" + "0" * 64
    here = {"site": "ada", "digest": digest, "reason": "", "size": 10}
    accepted = (
        Acceptance.model_validate(here | {"kind": "statistics", "outcome": "accepted", "answer": "accepted"}),
        Acceptance.model_validate(here | {"kind": "statistics", "outcome": "same", "answer": "same"}),
        Acceptance.model_validate(here | {"kind": "", "outcome": "quarantined", "answer": "again"}),
    )
    summary = _summary(_answer("ada"), _answer("ben", "late"), accepted=accepted, release=digest, number=3)
    assert event_line(summary) == (
        "event of 12.3 s: 1 parcel quarantined; 1 statistics accepted; release 3; ben did not answer (late)"
    )
    assert event_line(_summary()) == "event of 12.3 s: nothing new"
    assert event_line(_summary(trouble="too few")) == "event of 12.3 s: nothing new; no release: too few"
