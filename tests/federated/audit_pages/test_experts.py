"""Cards tell where an expert must not be trusted, from what it holds and what hospitals counted."""

from __future__ import annotations

from federated.audit_pages.experts import _at_hospitals, expert, experts, foreign, qualified_at
from federated.audit_pages.room import PER_PAGE, Room
from federated.web.access import Person
from federated.web.exchange import Rendered, Seen

READER = Person("ada", "reader", "token", "ada")


def _context(room: Room, site: str = "") -> dict[str, object]:
    page = expert if site else experts
    answer = page(room, Seen(READER, path={"site": site} if site else {}))
    assert isinstance(answer, Rendered)
    return dict(answer.context)


def test_each_card_says_what_the_expert_never_saw(room: Room) -> None:
    cards = _context(room)["cards"]
    assert isinstance(cards, list)
    assert {card["site"]: dict(card["warnings"])["never saw"] for card in cards} == {
        "ada": ["psax", "sub"],
        "ben": ["plax", "sub"],
        "cem": ["a4c", "a2c"],
    }


def test_an_expert_is_at_home_at_home(room: Room) -> None:
    release = room.index.release(1)
    assert release is not None
    shares = qualified_at(room, release, 2)
    assert max(shares, key=lambda name: shares[name]) == "cem"
    assert foreign(room, release, "cem") == ["ada", "ben"]


def test_contributions_are_found_in_the_log(room: Room) -> None:
    contributions = _context(room, "ada")["contributions"]
    assert isinstance(contributions, list)
    ((digest, number),) = contributions
    assert room.index.rows("SELECT event, site FROM entries WHERE number = ?", number) == [("accepted", "ada")]
    assert str(digest).startswith("sha256:")


def test_over_releases_only_those_that_hold_it(room: Room) -> None:
    assert "release 1" not in str(_context(room, "cem")["over"])
    assert "release 1" in str(_context(room, "ada")["over"])


def test_of_many_hospitals_both_ends_are_shown() -> None:
    shares = {f"h{number:03d}": number / 100 for number in range(100)}
    plot = str(_at_hospitals(shares, "ada"))
    assert plot.count("<rect") == PER_PAGE
    assert "h099" in plot
    assert "h000" in plot
    assert "h050" not in plot
    assert _at_hospitals({}, "ada") is None
