"""One decision: its shares add up to one, and what removal does stands beside them."""

from __future__ import annotations

import pytest

from federated.audit_pages.decisions import decision, decisions, effects, shares
from federated.audit_pages.room import Room
from federated.pages.plots import KINDS
from federated.web.access import Person
from federated.web.exchange import Rendered, Seen

READER = Person("ada", "reader", "token", "ada")


def _context(room: Room, number: int) -> dict[str, object]:
    answer = decision(room, Seen(READER, path={"number": str(number)}))
    assert isinstance(answer, Rendered)
    return dict(answer.context)


@pytest.mark.parametrize("number", range(1, 10))
def test_shares_fill_the_bar(number: int, room: Room) -> None:
    found = room.index.decision(number)
    assert found is not None
    explained = found[2]
    parts = sum(one.evidence or 0.0 for one in explained.sites)
    assert parts + explained.prior + explained.disagreement + explained.other == pytest.approx(1.0)
    bar = shares(explained)
    assert explained.prior == 0 or "nobody knows" in bar
    assert effects(explained) is not None


def test_with_many_experts_the_others_are_together(room: Room) -> None:
    found = room.index.decision(1)
    assert found is not None
    one = found[2].sites[0]
    many = tuple(one.model_copy(update={"site": f"s{n:02d}", "evidence": 0.01 * (n + 1)}) for n in range(13))
    bar = shares(found[2].model_copy(update={"sites": many, "prior": 0.0, "disagreement": 0.0}))
    assert "other experts" in bar
    assert bar.count('class="part s') == len(KINDS)


def test_a_decision_leads_to_its_entry(room: Room) -> None:
    context = _context(room, 1)
    found = room.index.rows("SELECT kind FROM entries WHERE number = ?", context["entry"])
    assert found == [("decision",)]


def test_what_stands_how(room: Room) -> None:
    totals = []
    for standing in ("", "sites know", "nobody knows", "sites disagree"):
        answer = decisions(room, Seen(READER, query={"standing": standing}))
        assert isinstance(answer, Rendered)
        totals.append(answer.context["pager"].total)
    assert totals[0] == sum(totals[1:])
    assert totals[2] > 0
