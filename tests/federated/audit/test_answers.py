"""What hospitals tell of their answers, and auditors draw, as it lies in a bundle."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from federated.audit.answers import answer_check, decision_check, draw_audits, growth_audits, summary_check
from federated.audit.outcome import Check
from federated.audit.record import Record
from federated.audit.whole import verify_bundle
from tests.answering import RECORDS, WIDTH, Answering
from tests.decision_making import a_record, rows


@pytest.fixture
def answering(whole: Any) -> Answering:
    return Answering(whole)


def test_an_honest_hospital(answering: Answering, tmp_path: Path) -> None:
    first, last = answering.tree(3), answering.tree()
    answering.tell(first)
    summary = answering.tell(last, first=3, since=3)
    draw = answering.draw(summary, last, RECORDS)
    for number in range(RECORDS):
        answering.open(last, number, draw.digest)
    record = answering.write(tmp_path / "a.bundle", draw)
    audits = list(verify_bundle(record.bundle, record.keys, witnesses=2))
    assert [check for audit in audits for check in audit.checks if not check.ok] == []
    kinds = [audit.kind for audit in audits]
    assert kinds.count("summary") == 2
    assert kinds.count("decision") == RECORDS
    found = {check.name: check.found for audit in audits for check in audit.checks}
    assert found["growth"] == "2 summaries of one log that only grew, to 6 records"
    assert found["draw"] == "6 of 6 records of ada"
    assert found["sums"] == "3 answers of 3 patients"


def test_a_hospital_that_rewrites_its_log_is_named(answering: Answering, tmp_path: Path) -> None:
    answering.tell(answering.tree(3))
    rewritten = answering.tree(RECORDS, patient="e" * 64)
    answering.tell(rewritten, first=3, since=3)
    (audit,) = growth_audits(answering.write(tmp_path / "a.bundle"))
    assert (audit.file, audit.by, audit.checks[0].ok) == ("decisions of ada", "ada", False)
    assert "was changed since it had 3 records" in audit.checks[0].found


def test_a_record_that_is_counted_twice_is_named(answering: Answering, tmp_path: Path) -> None:
    answering.tell(answering.tree(3))
    answering.tell(answering.tree(), first=2, since=3)
    (audit,) = growth_audits(answering.write(tmp_path / "a.bundle"))
    assert "begins at record 2, those up to 2 were counted" in audit.checks[0].found


def test_a_summary_whose_beginning_is_not_here(answering: Answering, tmp_path: Path) -> None:
    answering.tell(answering.tree(), first=3, since=3)
    (audit,) = growth_audits(answering.write(tmp_path / "a.bundle"))
    assert (audit.checks[0].ok, audit.checks[0].found) == (
        True,
        "one summary of one log that only grew, to 6 records; the first 3 are not shown",
    )


def test_a_hospital_that_hides_a_decision_from_a_draw_is_named(answering: Answering, tmp_path: Path) -> None:
    tree = answering.tree()
    draw = answering.draw(answering.tell(tree), tree, RECORDS)
    for number in (0, 1, 2, 4, 5):
        answering.open(tree, number, draw.digest)
    (audit,) = draw_audits(answering.write(tmp_path / "a.bundle", draw))
    assert [(check.name, check.found) for check in audit.checks if not check.ok] == [
        ("record 3", "was drawn and is not opened")
    ]
    assert audit.by == "ada"


def test_a_draw_that_nobody_answered_blames_nobody(answering: Answering, tmp_path: Path) -> None:
    """Whoever makes a bundle can put a draw into it that the hospital has never seen."""
    tree = answering.tree()
    draw = answering.draw(answering.tell(tree), tree, RECORDS)
    (audit,) = draw_audits(answering.write(tmp_path / "a.bundle", draw))
    assert [(check.name, check.ok) for check in audit.checks] == [("draw", True), ("records", None)]
    assert audit.checks[1].found == "nothing of it is opened here, and nothing shows that 'ada' was asked"


def test_a_bundle_that_lacks_a_summary_blames_no_hospital(answering: Answering, tmp_path: Path) -> None:
    told = [answering.tell(answering.tree(size), first=size - 2, since=size - 2) for size in (2, 4, RECORDS)]
    tree = answering.tree(4)
    name = answering.open(tree, 1, answering.draw(told[1], tree, 4).digest)
    lacking = copy.deepcopy(answering)
    del lacking.record.parcels[told[1]]
    found = _answers(answering.write(tmp_path / "a.bundle"), name)
    assert [check.ok for check in found] == [True, True]
    found = _answers(lacking.write(tmp_path / "b.bundle"), name)
    assert [(check.name, check.ok) for check in found] == [("growth", None), ("record", None)]
    assert "not here" in found[0].found
    assert "the summary that it was drawn from is not here" in found[1].found


def _answers(record: Record, name: str) -> list[Check]:
    """What is found of a decision log and of an opened decision, once the log was read."""
    audits = list(verify_bundle(record.bundle, record.keys, witnesses=2))
    assert all(audit.ok for audit in audits)
    kinds = ("decision log", "decision")
    checks = [check for kind in kinds for audit in audits if audit.kind == kind for check in audit.checks]
    assert name in {audit.digest for audit in audits}
    return [check for check in checks if check.name in ("growth", "record")]


def test_a_draw_from_a_summary_that_is_not_here_is_told(answering: Answering, tmp_path: Path) -> None:
    draw = answering.draw("sha256:" + "0" * 64, answering.tree(), 2)
    (audit,) = draw_audits(answering.write(tmp_path / "a.bundle", draw))
    assert [check.ok for check in audit.checks] == [None]


def test_another_answer_than_the_logged_one_is_named(answering: Answering, tmp_path: Path) -> None:
    tree = answering.tree()
    answering.tell(tree)
    answering.answers[1] = answering.answers[1].model_copy(update={"caption": "another"})
    name = answering.open(tree, 1)
    record = answering.write(tmp_path / "a.bundle")
    check = decision_check(record, record.whole[name])
    assert (check.ok, check.found) == (False, "record 1: the answer is not the one that was logged")


def test_an_answer_that_the_release_does_not_give_is_named(answering: Answering, tmp_path: Path) -> None:
    told = answering.answers[1]
    best = told.model_copy(update={"weights": dict.fromkeys(told.weights, 0.5)})
    answering.answers[1] = best
    answering.leaves[1] = a_record(1, best, rows(1, WIDTH))
    tree = answering.tree()
    answering.tell(tree)
    name = answering.open(tree, 1)
    record = answering.write(tmp_path / "a.bundle")
    assert decision_check(record, record.whole[name]).ok, "the hospital logged what it tells"
    check = answer_check(record, record.whole[name])
    assert check is not None
    assert (check.ok, "weights of" in check.found) == (False, True)
    audits = list(verify_bundle(record.bundle, record.keys, witnesses=2))
    assert audits[-1].kind == "decision"
    assert not audits[-1].ok


def test_an_answer_comes_out_again_and_a_flag_answers_nothing(answering: Answering, tmp_path: Path) -> None:
    tree = answering.tree()
    answering.tell(tree)
    names = [answering.open(tree, number) for number in (0, 5)]
    record = answering.write(tmp_path / "a.bundle")
    answer, flag = (answer_check(record, record.whole[name]) for name in names)
    assert answer is not None
    assert (answer.ok, answer.found) == (True, "bit for bit the same")
    assert flag is None


def test_a_decision_in_another_tree_is_named(answering: Answering, tmp_path: Path) -> None:
    answering.tell(answering.tree())
    name = answering.open(answering.tree(RECORDS, patient="e" * 64), 2)
    record = answering.write(tmp_path / "a.bundle")
    assert "is shown in another tree" in decision_check(record, record.whole[name]).found


def test_sums_that_contradict_each_other_are_named(answering: Answering, tmp_path: Path) -> None:
    name = answering.tell(answering.tree(), decisions=4, patients=4)
    record = answering.write(tmp_path / "a.bundle")
    check = summary_check(record, record.whole[name])
    assert (check.ok, "counts 6 decisions, 4 are declared" in check.found) == (False, True)


def test_without_its_release_nothing_is_held_against_it(answering: Answering, tmp_path: Path) -> None:
    summary, tree = answering.tell(answering.tree()), answering.tree()
    decision = answering.open(tree, 0)
    del answering.record.parcels[answering.release]
    record = answering.write(tmp_path / "a.bundle")
    for check in (summary_check(record, record.whole[summary]), decision_check(record, record.whole[decision])):
        assert (check.ok, check.found) == (None, "not held against its release, which is not here")
