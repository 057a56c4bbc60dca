"""Figures of a release on held-back patients: what is counted, over what, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest

from federated.decision import Decision
from site_agent.evaluation import DRAWS, Answered, Evaluation, draws_of, evaluate

RELEASE, OLDER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def _decision(best: str, *, abstained: bool = False) -> Decision:
    scores = {label: 1.0 if label == best else 0.0 for label in "abc"}
    return Decision(
        image=None,
        clip="clip",
        label=None if abstained else best,
        abstained=abstained,
        why="no site is qualified" if abstained else None,
        caption=None,
        scores=scores,
        probabilities=dict.fromkeys("abc", 1 / 3),
        weights={"one": 1.0},
        contributions={label: {"one": score} for label, score in scores.items()},
        evidence={"one": 1.0},
        qualified={"one": 0.01 if abstained else 0.9},
        release=RELEASE,
    )


def _answered(*rows: tuple[str, str, str], abstained: tuple[int, ...] = ()) -> Answered:
    """Rows of (patient, true label, label with the largest score)."""
    return Answered(
        tuple(row[1] for row in rows),
        tuple(row[0] for row in rows),
        tuple(_decision(row[2], abstained=number in abstained) for number, row in enumerate(rows)),
    )


def _value(evaluation: Evaluation, name: str) -> float:
    value = getattr(evaluation, name).value
    assert isinstance(value, float)
    return value


def test_accuracy_counts_clips_and_balanced_accuracy_labels() -> None:
    evaluation = evaluate(RELEASE, _answered(("p", "a", "a"), ("q", "a", "a"), ("r", "a", "b"), ("s", "b", "a")))
    assert _value(evaluation, "accuracy") == pytest.approx(2 / 4)
    assert _value(evaluation, "balanced_accuracy") == pytest.approx((2 / 3 + 0) / 2)
    assert evaluation.confusion == {"a": {"a": 2, "b": 1}, "b": {"a": 1}}


def test_a_withheld_answer_is_counted_apart_and_its_label_still_judged() -> None:
    evaluation = evaluate(RELEASE, _answered(("p", "a", "a"), ("q", "a", "b"), abstained=(0,)))
    assert _value(evaluation, "accuracy") == pytest.approx(0.5)
    assert evaluation.withheld == 1
    assert evaluation.confusion == {"a": {"(withheld)": 1, "b": 1}}


def test_labels_that_the_release_does_not_know_are_no_mistakes_but_their_refusals_count() -> None:
    evaluation = evaluate(RELEASE, _answered(("p", "a", "a"), ("q", "z", "a"), ("r", "z", "b"), abstained=(1,)))
    assert (evaluation.clips, evaluation.known) == (3, 1)
    assert _value(evaluation, "accuracy") == 1.0
    assert (evaluation.withheld, evaluation.withheld_unknown) == (0, 1)


def test_no_clips_give_no_figure_rather_than_zero() -> None:
    evaluation = evaluate(RELEASE, _answered())
    assert evaluation.accuracy.value is None
    assert str(evaluation.balanced_accuracy) == "no clips"


def test_intervals_are_over_patients_so_many_clips_of_one_tell_no_more() -> None:
    rows = [(f"p{number}", "a", "a" if number < 3 else "b") for number in range(6)]
    few, many = evaluate(RELEASE, _answered(*rows)), evaluate(RELEASE, _answered(*rows * 30))
    assert (few.accuracy, few.patients) == (many.accuracy, 6)
    assert many.accuracy.low is not None
    assert many.accuracy.low <= 1 / 6


@pytest.mark.parametrize(("patients", "bounded"), [(1, False), (4, False), (5, True)])
def test_few_patients_give_a_figure_and_no_interval(patients: int, bounded: bool) -> None:
    known = [(f"p{number}", "a", "a") for number in range(patients)]
    others = [(f"q{number}", "z", "a") for number in range(9)]  # of a label that the release does not know
    answered = _answered(*known * 3, *others)
    evaluation = evaluate(RELEASE, answered, (OLDER, answered))
    assert evaluation.before is not None
    assert evaluation.accuracy.value == 1.0
    for figure in (evaluation.accuracy, evaluation.balanced_accuracy, evaluation.before.accuracy):
        assert (figure.low is not None, figure.high is not None) == (bounded, bounded)
    told = "100.0 % [100.0, 100.0]" if bounded else "100.0 % (fewer than 5 patients: no interval)"
    assert str(evaluation.accuracy) == told


def test_interval_of_a_share_is_that_of_the_binomial() -> None:
    rows = [(f"p{number}", "a", "a" if number < 60 else "b") for number in range(100)]
    accuracy = evaluate(RELEASE, _answered(*rows)).accuracy
    assert accuracy.low == pytest.approx(0.6 - 1.96 * 0.049, abs=0.015)
    assert accuracy.high == pytest.approx(0.6 + 1.96 * 0.049, abs=0.015)


def test_draws_take_as_many_patients_as_there_are() -> None:
    draws = draws_of(["p", "p", "q", "r"])
    assert draws.shape == (DRAWS, 4)
    assert (draws[:, 0] == draws[:, 1]).all()
    assert (draws[:, [0, 2, 3]].sum(axis=1) == 3).all()
    np.testing.assert_array_equal(draws, draws_of(["p", "p", "q", "r"]))


def test_a_release_that_answers_alike_differs_by_nothing() -> None:
    answered = _answered(*[(f"p{number}", "ab"[number % 2], "a") for number in range(6)])
    before = evaluate(RELEASE, answered, (OLDER, answered)).before
    assert before is not None
    assert (before.release, before.accuracy.value, before.accuracy.low, before.accuracy.high) == (OLDER, 0.0, 0.0, 0.0)


def test_difference_to_the_release_before_is_paired() -> None:
    labels = [(f"p{number}", "ab"[number % 2]) for number in range(6)]
    better = _answered(*[(patient, label, label) for patient, label in labels])
    worse = _answered(*[(patient, label, "a") for patient, label in labels])
    before = evaluate(RELEASE, better, (OLDER, worse)).before
    assert before is not None
    assert before.accuracy.value == pytest.approx(0.5)
    assert before.balanced_accuracy.value == pytest.approx(0.5)
    assert before.accuracy.low is not None
    assert before.accuracy.low >= 0.0


def test_a_label_that_only_the_newer_release_knows_counts_for_it() -> None:
    newer = _answered(("p", "a", "a"), ("q", "c", "c"))
    older = Answered(newer.labels, newer.patients, tuple(_without_c(decision) for decision in newer.decisions))
    before = evaluate(RELEASE, newer, (OLDER, older)).before
    assert before is not None
    assert before.accuracy.value == pytest.approx(0.5)


def _without_c(decision: Decision) -> Decision:
    return decision.model_copy(update={"scores": {"a": 1.0, "b": 0.0}})


def _nested(*rows: tuple[str, str, str, str | None]) -> Answered:
    """Rows of (patient, true label, label with the largest score, answer); `a1` and `a2` lie below `a`."""
    decisions = []
    for _, _, best, label in rows:
        scores = {name: 1.0 if name == best else 0.0 for name in ("a1", "a2", "b")}
        plain = _decision("b").model_copy(update={"scores": scores, "label": label, "abstained": label is None})
        decisions.append(plain)
    labels, patients = tuple(row[1] for row in rows), tuple(row[0] for row in rows)
    return Answered(labels, patients, tuple(decisions), {"a1": frozenset("a"), "a2": frozenset("a")})


def test_a_coarse_label_is_met_by_what_lies_below_it() -> None:
    answered = _nested(("p", "a", "a1", "a1"), ("q", "a", "b", "b"), ("r", "a2", "a1", "a1"), ("s", "c", "a1", "a1"))
    assert answered.known.tolist() == [True, True, True, False]
    assert answered.right.tolist() == [True, False, False, False]
    evaluation = evaluate(RELEASE, answered)
    assert _value(evaluation, "accuracy") == pytest.approx(1 / 3)
    assert evaluation.coarser == 0


def test_an_answer_above_the_label_is_right_as_far_as_it_goes_and_counted_apart() -> None:
    evaluation = evaluate(
        RELEASE, _nested(("p", "a1", "a1", "a"), ("q", "a2", "a1", "a"), ("r", "b", "a1", "a"), ("s", "a1", "a1", None))
    )
    assert evaluation.coarser == 2
    assert _value(evaluation, "accuracy") == pytest.approx(2 / 4)
    assert evaluation.confusion == {"a1": {"(withheld)": 1, "a": 1}, "a2": {"a": 1}, "b": {"a": 1}}
