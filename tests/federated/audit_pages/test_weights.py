"""The table is the heat map; shares stand beside what removal does."""

from __future__ import annotations

import csv
import io

import pytest

from federated.audit_pages.room import Room
from federated.audit_pages.weights import MEASURES, _cell, measure_of, over_releases, removals, table, weights
from federated.web.access import Person
from federated.web.exchange import Attachment, Rendered, Seen

READER = Person("ada", "reader", "token", "ada")


def test_the_file_has_every_expert_and_label(room: Room) -> None:
    answer = table(room, Seen(READER))
    assert isinstance(answer, Attachment)
    rows = list(csv.DictReader(io.StringIO(answer.data.decode())))
    assert len(rows) == 3 * 5
    expert = room.index.expert(1, "ben")
    assert expert is not None
    assert [float(row["evidence"]) for row in rows if row["expert"] == "ben"] == expert.evidence
    assert answer.name == "weights-release-2.csv"


def test_shares_of_a_label_leave_room_for_what_is_nobodys(room: Room) -> None:
    experts = room.index.experts(1, 0, 9)
    for place in range(5):
        shares = [expert.evidence[place] or 0.0 for expert in experts]
        assert 0 < sum(shares) < 1


@pytest.mark.parametrize("words", ["=1+1", "+x", "-x", "@x", "\tx"])
def test_no_word_becomes_a_formula(words: str) -> None:
    assert _cell(words) == f"'{words}"
    assert _cell("plax") == "plax"


def test_what_is_shown(room: Room) -> None:
    assert [measure_of(Seen(READER, query={"measure": name})) for name in (*MEASURES, "x")] == [*MEASURES, "evidence"]
    answer = weights(room, Seen(READER))
    assert isinstance(answer, Rendered)
    assert [row[0] for row in answer.context["rows"]] == ["ada", "ben", "cem"]


def test_share_beside_effect(room: Room) -> None:
    found = removals(room)
    assert found is not None
    rows = found["rows"]
    assert isinstance(rows, list)
    assert {row[0] for row in rows} == {"ada", "ben", "cem"}
    effects = [float(row[3]) for row in rows]
    assert effects == sorted(effects, reverse=True)


def test_over_releases_an_expert_is_there_from_its_first_on(room: Room) -> None:
    numbers, shares = room.index.shares(["ada", "cem"], 1, 40)
    assert numbers == [1, 2]
    assert [[share is None for share in row] for row in shares] == [[False, False], [True, False]]
    expert = room.index.expert(1, "cem")
    assert expert is not None
    assert shares[1][1] == expert.share
    release = room.index.release(1)
    first = room.index.release(0)
    assert release is not None
    assert first is not None
    assert "experts by releases" in str(over_releases(room, release, ["ada"]))
    assert over_releases(room, first, ["ada"]) is None, "one release is no course"
