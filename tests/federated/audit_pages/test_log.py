"""An entry is proved, and one that is another is not."""

from __future__ import annotations

from federated.audit_pages.log import entry, log, proved, verification
from federated.audit_pages.room import Room
from federated.log.merkle import inclusion_proof, leaf_hash
from federated.web.access import Person
from federated.web.exchange import Rendered, Seen
from tests.decision_making import Tree

READER = Person("ada", "reader", "token", "ada")


def test_every_entry_is_proved(room: Room) -> None:
    for number in range(room.index.count("SELECT count(*) FROM entries")):
        answer = entry(room, Seen(READER, path={"number": str(number)}))
        assert isinstance(answer, Rendered)
        assert answer.context["check"].ok is True


def test_another_entry_is_not(room: Room) -> None:
    tree = Tree([b"%d" % number for number in range(7)])
    proof = inclusion_proof(3, 7, tree.subtree)
    root = bytes.fromhex(tree.root)
    assert proved(b"3", 3, 7, root, proof).ok is True
    assert proved(b"x", 3, 7, root, proof).ok is False
    assert proved(b"3", 4, 7, root, proof).ok is False
    assert leaf_hash(b"3") != leaf_hash(b"x")


def test_what_a_hospital_sent_says_so(room: Room) -> None:
    (number,) = room.index.rows("SELECT min(number) FROM entries WHERE event = 'accepted'")[0]
    answer = entry(room, Seen(READER, path={"number": str(number)}))
    assert isinstance(answer, Rendered)
    facts = dict(answer.context["facts"])
    assert "signed by it" in facts["the hospital's own envelope"]
    assert facts["event"] == "accepted"


def test_entries_are_chosen(room: Room) -> None:
    answer = log(room, Seen(READER, query={"event": "accepted", "site": "ada"}))
    assert isinstance(answer, Rendered)
    assert {(row[2], row[3]) for row in answer.context["rows"]} == {("accepted", "ada")}
    answer = log(room, Seen(READER, query={"event": "x' OR 1=1 --"}))
    assert isinstance(answer, Rendered)
    assert answer.context["rows"] == []


def test_each_step_is_told(room: Room) -> None:
    answer = verification(room, Seen(READER))
    assert isinstance(answer, Rendered)
    kinds = [audit.kind for audit in answer.context["audits"]]
    assert kinds[:2] == ["bundle", "log"]
    assert {"release", "summary", "decision"} <= set(kinds)
