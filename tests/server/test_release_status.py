"""The list that sites are handed names what stands now, and is told from an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from federated.release_status import ReleaseStatus, read_status
from server.event import ExchangeRequest, run_event

if TYPE_CHECKING:
    import pytest

    from tests.server.conftest import World


def _status(world: World, data: bytes | None = None) -> ReleaseStatus:
    parties = world.coordinator.trust().find(role="coordinator")
    keys = [party.verifier() for party in parties]
    return read_status(world.coordinator.release_status() if data is None else data, keys, "test")


def test_a_list_follows_releases_and_recalls(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = _status(world)
    assert (empty.standing, empty.lease_days) == ((), 30)
    site = world.join("ada")
    site.put(site.statistics())
    release = run_event(world.coordinator, world).release
    made = _status(world)
    assert made.standing == (release,)
    assert made.is_newer_than(empty)
    monkeypatch.setattr("server.release_status.now", lambda: "2020-01-01T00:00:00Z")  # the clock was put back
    world.coordinator.recall(1, "an artefact")
    gone = _status(world)
    assert (gone.standing, gone.issued) == ((), "2020-01-01T00:00:00Z")
    assert gone.is_newer_than(made)


def test_every_exchange_hands_it_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    site = world.join("ada")
    site.put(site.statistics())
    handed: list[list[bytes]] = []

    def exchange(request: ExchangeRequest) -> list[bytes]:
        handed.append(request.handed)
        return type(site).exchange(site, request)

    monkeypatch.setattr(site, "exchange", exchange)
    release = run_event(world.coordinator, world).release
    assert [_status(world, data[-1]).standing for data in handed] == [(), (), (release,)]
    assert ExchangeRequest([b"parcel"], []).handed == [b"parcel"]
