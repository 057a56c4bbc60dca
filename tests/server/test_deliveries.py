from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from federated.envelope import open_parcel, read_passage
from server.deliveries import enqueue, sent_to
from server.event import run_event

if TYPE_CHECKING:
    from tests.server.conftest import Site, World


@pytest.fixture
def released(world: World) -> tuple[World, Site, Site]:
    """One release, which both sites have."""
    ada, ben = world.join("ada"), world.join("ben")
    ada.put(ada.statistics())
    ben.put(ben.statistics())
    run_event(world.coordinator, world)
    return world, ada, ben


def _kinds(world: World, site: str) -> list[tuple[int, str]]:
    passages = [read_passage(parcel) for parcel in world.coordinator.outgoing(site)]
    return [(passage.sequence, passage.kind) for passage in passages]


def test_each_site_has_its_own_numbers(released: tuple[World, Site, Site]) -> None:
    world, ada, ben = released
    assert (ada.ledger.sequence, ben.ledger.sequence) == (2, 2)
    world.join("cem")
    assert _kinds(world, "cem") == [(1, "release")]
    assert _kinds(world, "ada") == []


def test_parcels_are_signed_for_their_site_and_no_other(released: tuple[World, Site, Site]) -> None:
    world, _, _ = released
    world.join("cem")
    (parcel,) = world.coordinator.outgoing("cem")
    opened = open_parcel(parcel, world.coordinator.trust(), recipient="cem")
    assert opened.manifest.kind == "release"
    with pytest.raises(Exception, match="is addressed to 'cem'"):
        open_parcel(parcel, world.coordinator.trust(), recipient="ada")


def test_what_was_handed_over_is_handed_over_again_byte_by_byte(released: tuple[World, Site, Site]) -> None:
    world, _, _ = released
    world.join("cem")
    first = [parcel.to_bytes() for parcel in world.coordinator.outgoing("cem")]
    world.restart()
    assert [parcel.to_bytes() for parcel in world.coordinator.outgoing("cem")] == first
    world.coordinator.acknowledge("cem", world.coordinator.outgoing("cem")[0].digest)
    assert world.coordinator.outgoing("cem") == []


def test_acknowledging_one_acknowledges_those_before_it(released: tuple[World, Site, Site]) -> None:
    world, ada, _ = released
    ada.put(ada.statistics("b0002"))
    world.coordinator.accept_all(ada.outbox.values())
    world.coordinator.propose()
    assert _kinds(world, "ada") == [(3, "candidate")]
    world.coordinator.release()
    assert _kinds(world, "ada") == [(3, "candidate"), (4, "release")]
    world.coordinator.acknowledge("ada", world.coordinator.outgoing("ada")[1].digest)
    assert _kinds(world, "ada") == []


def test_what_nobody_needs_any_more_is_never_handed_over(released: tuple[World, Site, Site]) -> None:
    """A site that was away for three arrivals gets the newest candidate and the newest release, not all six."""
    world, ada, _ = released
    world.offline.add("ben")
    for batch in ("b0002", "b0003", "b0004"):
        ada.put(ada.statistics(batch))
        assert run_event(world.coordinator, world).release is not None
    assert _kinds(world, "ada") == []
    assert _kinds(world, "ben") == [(3, "candidate"), (4, "release")]
    newest = [parcel.digest for parcel in world.coordinator.outgoing("ben")]
    assert newest[1] == ada.releases[-1].digest


def test_what_was_handed_over_stays_though_it_is_stale(released: tuple[World, Site, Site]) -> None:
    """Its number is used up: without it the site would refuse what comes after."""
    world, ada, ben = released
    for batch in ("b0002", "b0003"):
        ada.put(ada.statistics(batch))
        world.coordinator.accept_all(ada.outbox.values())
        world.coordinator.propose()
        world.coordinator.outgoing("ben")
    assert _kinds(world, "ben") == [(3, "candidate"), (4, "candidate")]
    for parcel in world.coordinator.outgoing("ben"):
        ben.take(parcel.to_bytes())
    assert ben.ledger.sequence == 4


def test_the_line_has_each_thing_once(released: tuple[World, Site, Site]) -> None:
    world, ada, _ = released
    release = ada.releases[0].digest
    with world.coordinator.registry.transaction() as session:
        enqueue(session, ["ada", "ben", "ben"], release, "release")
        assert sent_to(session, release) == ["ada", "ben"]
    assert _kinds(world, "ada") == []


def test_acknowledging_what_was_never_handed_over_changes_nothing(released: tuple[World, Site, Site]) -> None:
    world, ada, _ = released
    world.join("cem")
    world.coordinator.acknowledge("cem", ada.releases[0].digest)
    world.coordinator.acknowledge("cem", "sha256:" + "0" * 64)
    assert _kinds(world, "cem") == [(1, "release")]
