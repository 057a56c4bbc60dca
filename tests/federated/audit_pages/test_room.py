"""The release that an address asks for, or the one that has most to show."""

from __future__ import annotations

import pytest

from federated.audit_pages.room import Room, percent
from federated.web.access import Person
from federated.web.exchange import Missing, Seen

READER = Person("ada", "reader", "token", "ada")


def test_the_newest_that_answers_are_told_of(room: Room) -> None:
    assert room.chosen(Seen(READER)).number == 2
    assert room.chosen(Seen(READER, query={"release": "1"})).number == 1
    assert (room.first, room.last) == (1, 2)


@pytest.mark.parametrize("asked", ["0", "3", "-1", "x", "²", "1" * 30, "1 OR 1"])
def test_a_release_that_is_not_there(asked: str, room: Room) -> None:
    with pytest.raises(Missing):
        room.chosen(Seen(READER, query={"release": asked}))


@pytest.mark.parametrize(
    ("share", "said"), [(None, "–"), (0.0, "0 %"), (0.004, "< 1 %"), (0.256, "26 %"), (1, "100 %")]
)
def test_shares_as_people_say_them(share: float | None, said: str) -> None:
    assert percent(share) == said
