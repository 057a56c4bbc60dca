"""What became of answers adds up."""

from __future__ import annotations

import re

from federated.audit_pages.answers import answers
from federated.audit_pages.room import Room
from federated.web.access import Person
from federated.web.exchange import Rendered, Seen

READER = Person("ada", "reader", "token", "ada")


def _context(room: Room, **query: str) -> dict[str, object]:
    answer = answers(room, Seen(READER, query=query))
    assert isinstance(answer, Rendered)
    return dict(answer.context)


def test_each_label_has_its_answers(room: Room) -> None:
    context, sums = _context(room), room.index.sums(1)
    assert sums is not None
    rows = context["rows"]
    assert isinstance(rows, list)
    assert [int(row[1]) for row in rows] == [int(count) for count in sums.answered]


def test_of_each_hospital_the_parts_are_all(room: Room) -> None:
    plot = str(_context(room)["hospitals"])
    bars = re.findall(r"<desc[^>]*>([^<]*)<", plot)[0].split("; ")
    assert [bar.partition(":")[0] for bar in bars] == ["ada", "ben", "cem"]
    for bar in bars:
        assert 98 <= sum(map(int, re.findall(r"(\d+) %", bar))) <= 102


def test_that_nobody_knows_is_seen(room: Room) -> None:
    assert "nobody knows" in str(_context(room)["labels"])
