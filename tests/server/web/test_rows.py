from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server.event import run_event
from server.web import rows
from server.web.figures import Figures

if TYPE_CHECKING:
    from tests.server.conftest import World


@pytest.mark.parametrize(("moment", "found"), [("1970-01-01T00:00:00Z", 0.0), ("2026-11-21T00:00:01Z", 1795219201.0)])
def test_times_are_utc(moment: str, found: float) -> None:
    assert rows.seconds(moment) == found


def test_a_time_is_told_to_the_minute() -> None:
    assert rows.when("2026-11-21T08:09:10Z") == "2026-11-21 08:09"


def test_the_timeline_has_what_arrived_and_what_came_of_it_in_order(world: World) -> None:
    ada = world.join("ada")
    sent = ada.put(ada.statistics())
    run_event(world.coordinator, world)
    world.coordinator.recall(1, "a mistake")
    world.coordinator.withdraw("ada", [sent])
    with world.coordinator.registry.transaction() as session:
        made = rows.releases(session)
        found = rows.timeline(session, {row.digest: row.number for row in made})
    assert sorted((each.lane, each.what) for each in found) == [
        ("ada", "arrival"),
        ("ada", "withdraw"),
        ("releases", "recall"),
        ("releases", "release"),
    ]
    assert [each.at for each in found] == sorted(each.at for each in found)
    assert {each.said.partition(": ")[2] for each in found if each.lane == "releases"} == {"release 1", "recall 1"}


def test_a_candidate_waits_for_sites_that_did_not_report(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    figures = Figures(world.coordinator.artefacts)
    ada.put(ada.statistics())
    ben.put(ben.statistics())
    for site in (ada, ben):
        world.coordinator.accept_all(site.outbox.values())
    with world.coordinator.registry.transaction() as session:
        assert rows.waits_for(session, figures) == []
    world.coordinator.propose()
    with world.coordinator.registry.transaction() as session:
        assert rows.waits_for(session, figures) == ["ada", "ben"]
    run_event(world.coordinator, world)
    with world.coordinator.registry.transaction() as session:
        assert rows.waits_for(session, figures) == []


def test_wrong_content_and_strangers_are_told_apart(world: World) -> None:
    ada = world.join("ada")
    ada.put(ada.statistics(federation="other"))
    world.coordinator.accept_all(ada.outbox.values())
    world.coordinator.accept(b"rubbish")
    with world.coordinator.registry.transaction() as session:
        strangers, wrong = rows.quarantined(session), rows.rejected(session)
    reasons = {reason for _, _, reason, _ in [*strangers, *wrong]}
    assert len(reasons) == 2
    assert any("is not a Consilium parcel" in reason for _, _, reason, _ in strangers)


def test_parcels_of_a_site_the_newest_first_and_the_last_of_each_kind(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    sent = [ada.put(ada.statistics()), ada.put(ada.statistics(batch="b0002"))]
    ben.put(ben.statistics())
    run_event(world.coordinator, world)
    with world.coordinator.registry.transaction() as session:
        count = rows.parcel_count(session, "ada")
        found = rows.parcels(session, "ada", slice(0, count))
        second = rows.parcels(session, "ada", slice(1, 2))
        newest = rows.newest_of_kinds(session, "ada")
        assert [row.sequence for row in found] == list(range(count, 0, -1))
        assert [row.digest for row in found][-2:] == sent[::-1]
        assert [row.sequence for row in second] == [count - 1]
        assert {row.site for row in newest} == {"ada"}
        last = {row.kind: row.sequence for row in reversed(found)}
        assert [(row.kind, row.sequence) for row in newest] == sorted(last.items())
        assert len(last) < count
        assert rows.parcel_count(session, "nobody") == 0
