"""The index answers what pages ask, from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from federated.audit_pages.room import Room


def test_what_is_not_there_is_none(room: Room) -> None:
    index = room.index
    assert (index.release(9), index.sums(9), index.expert(0, "cem"), index.decision(0)) == (None,) * 4
    assert index.entry_of("sha256:none") is None


def test_an_expert_by_place_and_by_name_is_the_same(room: Room) -> None:
    (second,) = room.index.experts(1, 1, 1)
    assert second == room.index.expert(1, "ben")
    assert [one.card.site for one in room.index.experts(1, 0, 9)] == ["ada", "ben", "cem"]


def test_releases_come_newest_first(room: Room) -> None:
    assert [one.number for one in room.index.releases(0, 9)] == [2, 1]
    assert [one.number for one in room.index.releases(1, 1)] == [1]


def test_many_may_read_at_once(room: Room) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: room.index.decision(1 + number % 9), range(64)))
    assert found[:9] == found[9:18]
    assert None not in found


def test_the_releases_beside_one(room: Room) -> None:
    index = room.index
    assert [index.beside(place) for place in (0, 1)] == [(None, 2), (1, None)]
    assert [index.beside(place, "cem") for place in (0, 1)] == [(None, 2), (None, None)]
