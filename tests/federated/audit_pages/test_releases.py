"""A release says what changed since the one before."""

from __future__ import annotations

from federated.audit_pages.releases import release, releases
from federated.audit_pages.room import Room
from federated.web.access import Person
from federated.web.exchange import Rendered, Seen

READER = Person("ada", "reader", "token", "ada")


def _context(room: Room, number: str) -> dict[str, object]:
    answer = release(room, Seen(READER, path={"number": number}))
    assert isinstance(answer, Rendered)
    return dict(answer.context)


def test_what_changed(room: Room) -> None:
    assert _context(room, "1")["changes"] is None
    changes = _context(room, "2")["changes"]
    assert isinstance(changes, list)
    assert "sites-added" in changes
    assert "labels-added" in changes


def test_it_is_found_in_the_log(room: Room) -> None:
    entries = _context(room, "2")["entries"]
    assert isinstance(entries, list)
    assert [row[2] for row in entries] == ["release"]


def test_all_of_them(room: Room) -> None:
    answer = releases(room, Seen(READER))
    assert isinstance(answer, Rendered)
    assert [(row["number"], row["sites"]) for row in answer.context["rows"]] == [(2, 3), (1, 2)]
