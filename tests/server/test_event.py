from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from server.artefacts import Artefacts
from server.event import EventSummary, ExchangeRequest, Unreached, run_event
from server.registry import Registry

if TYPE_CHECKING:
    from tests.server.conftest import World


def test_an_event_from_contribution_to_adoption(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    ada.put(ada.statistics())
    ben.put(ben.statistics())
    summary = run_event(world.coordinator, world)
    assert summary.trouble == ""
    assert summary.number == 1
    kinds = ["statistics", "statistics", "report", "report", "adoption", "adoption"]
    assert [each.kind for each in summary.accepted] == kinds
    assert {each.outcome for each in summary.accepted} == {"accepted"}
    assert [r.digest for r in ada.releases] == [summary.release] == [r.digest for r in ben.releases]
    assert {site.name: site.calibration for site in ada.releases[0].manifest.sites} == {"ada": "own", "ben": "own"}
    assert [len(answers) for answers in summary.rounds] == [2, 2, 2]
    assert summary.rounds[2][0].bytes_sent > 1000
    assert EventSummary.model_validate_json(summary.model_dump_json()) == summary


def test_an_event_with_nothing_to_do_is_one_round(world: World) -> None:
    ada = world.join("ada")
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    again = run_event(world.coordinator, world)
    assert [each.kind for each in again.accepted] == []  # the adoption was settled before the site answered
    assert (len(again.rounds), again.candidate, again.release) == (1, None, None)
    assert ada.outbox == {}


def test_a_site_that_is_away_is_missing_and_catches_up(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    ada.put(ada.statistics())
    ben.put(ben.statistics())
    run_event(world.coordinator, world)
    world.offline.add("ben")
    ada.put(ada.statistics("b0002"))
    second = run_event(world.coordinator, world)
    assert len(second.rounds[0]) == 1
    world.offline.clear()
    third = run_event(world.coordinator, world)
    assert [each.digest for each in ben.releases][-1] == third.release or third.release is None
    assert third.number == 3  # ben's report on the candidate came late
    assert ben.releases[-1].digest == third.release
    assert [site.calibration for site in ben.releases[-1].manifest.sites] == ["own", "own"]


def test_a_site_that_goes_away_in_mid_event(world: World) -> None:
    """The site contributes, is lost before the candidate, and nothing it was handed counts as arrived."""
    ada, ben = world.join("ada"), world.join("ben")
    ada.put(ada.statistics())
    ben.put(ben.statistics())
    rounds = iter(range(10))

    class Leaving:
        def sites(self) -> list[str]:
            return world.sites()

        def witness(self, requests: Mapping[str, Sequence[bytes]]) -> dict[str, bytes]:
            return world.witness(requests)

        def exchange(self, requests: Mapping[str, ExchangeRequest]) -> dict[str, list[bytes] | Unreached]:
            if next(rounds) == 1:
                world.offline.add("ben")
            return world.exchange(requests)

    summary = run_event(world.coordinator, Leaving())
    assert [answer.unreached for answer in summary.rounds[1]] == ["", "offline"]
    assert [answer.parcels_sent for answer in summary.rounds[1]] == [1, 0]
    assert summary.number == 1
    assert [r.digest for r in ada.releases] == [summary.release]
    assert len(world.coordinator.outgoing("ben")) == 2
    assert world.coordinator.settled("ben") != []
    world.offline.clear()
    assert run_event(world.coordinator, world).number == 2
    assert [site.calibration for site in ben.releases[-1].manifest.sites] == ["own", "own"]


def test_a_site_that_answers_rubbish_hurts_nobody_else(world: World) -> None:
    ada = world.join("ada")
    world.join("ben")
    ada.put(ada.statistics())
    world.members["ben"].outbox["x"] = b"rubbish"
    summary = run_event(world.coordinator, world)
    assert summary.number == 1
    assert [(e.site, e.outcome) for e in summary.accepted if e.outcome != "accepted"] == [("", "quarantined")] * 3


def test_a_withdrawal_in_mid_event_stops_that_release(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    contribution = ada.put(ada.statistics())
    ben.put(ben.statistics())
    monkeypatch.setattr(ada, "report", lambda _: ada.withdrawal(contribution))
    first = run_event(world.coordinator, world)
    assert first.candidate is not None
    assert first.release is None
    second = run_event(world.coordinator, world)
    assert second.number == 1
    assert [site.name for site in ben.releases[0].manifest.sites] == ["ben"]


STEP = 8  # every eighth moment; those between are alike


class Killed(BaseException):
    """The process is gone at this point."""


class Killer:
    """Ends the process at its n-th dangerous moment: around every artefact written and every transaction's end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, moment: int | None = None) -> None:
        self.moment, self.passed = moment, 0
        put, transaction = Artefacts.put, Registry.transaction

        def dangerous_put(artefacts: Artefacts, data: bytes) -> str:
            self.pass_moment()
            name = put(artefacts, data)
            self.pass_moment()
            return name

        @contextmanager
        def dangerous_transaction(registry: Registry) -> Iterator[Any]:
            with transaction(registry) as session:
                yield session
                session.flush()
                self.pass_moment()
            self.pass_moment()

        monkeypatch.setattr(Artefacts, "put", dangerous_put)
        monkeypatch.setattr(Registry, "transaction", dangerous_transaction)

    def pass_moment(self) -> None:
        self.passed += 1
        if self.passed == self.moment:
            raise Killed


def _scene(make_world: Callable[..., World]) -> World:
    world = make_world()
    ada = world.join("ada")
    ada.put(ada.statistics())
    ada.put(ada.weights())
    return world


def test_a_coordinator_killed_at_any_moment_is_run_again_with_the_same_outcome(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = _scene(make_world)
    counter = Killer(monkeypatch)
    expected = run_event(usual.coordinator, usual)
    monkeypatch.undo()
    assert counter.passed > 40
    for moment in range(1, counter.passed + 1, STEP):
        world = _scene(make_world)
        Killer(monkeypatch, moment)
        with pytest.raises(Killed):
            run_event(world.coordinator, world)
        monkeypatch.undo()
        world.restart()
        run_event(world.coordinator, world)
        run_event(world.coordinator, world)
        (release,) = {each.digest for each in world.members["ada"].releases}
        assert release == expected.release, moment
        status = world.coordinator.status()
        assert [each["digest"] for each in status["releases"]] == [expected.release]
        assert status["candidate"]["digest"] == expected.candidate
        assert status["quarantine"] == []
        assert status["releases"][0]["choices"] == {"ada": "adopted"}
