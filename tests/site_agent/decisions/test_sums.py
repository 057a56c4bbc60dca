from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.decision import Step
from federated.disclosure import Limits
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary
from site_agent.decisions.sums import FLAGGED, FOLD, NO_LABEL, Answer, Sums, Truth, sum_up
from tests.decision_making import LABELS, SITES, an_answer

LIMITS = Limits(cell=3, batch=3)


def _release(calibration: str = "own", vocabulary: Vocabulary | None = None, alpha: float = 0.1) -> Any:
    sites = [SimpleNamespace(name=name, calibration=calibration) for name in SITES]
    return SimpleNamespace(sites=sites, alpha=alpha, vocabulary=vocabulary or plain_vocabulary("v", list(LABELS)))


def _answers(count: int, first: int = 0, **changes: Any) -> list[Answer]:
    """Of as many patients, a number each."""
    return [Answer(first + n, f"p{first + n}", an_answer(None, **changes)) for n in range(count)]


def _plax(count: int, first: int, **changes: Any) -> list[Answer]:
    scores = {"a4c": 0.0, "plax": 1.0}
    parts = {label: dict.fromkeys(SITES, score / 2) for label, score in scores.items()}
    return _answers(count, first, label="plax", scores=scores, probabilities=scores, contributions=parts, **changes)


def _none(count: int, first: int) -> list[Answer]:
    return _answers(count, first, label=None, abstained=True, why="no", qualified=dict.fromkeys(SITES, 0.01))


def _sum(answers: Sequence[Answer], truths: Sequence[Truth] = (), limits: Limits = LIMITS, **said: Any) -> Sums:
    return sum_up(_release(**said), LABELS, "ada", answers, truths, limits)


def test_enough_patients_are_told_of() -> None:
    found = _sum([*_answers(4), *_plax(5, 10), *_none(3, 20)])
    assert found.tensors["answered"].tolist() == [4, 5]
    assert found.tensors["abstained"].tolist() == [3, 0]
    assert found.tensors["weights"].tolist() == [[4.0, 4.0], [5.0, 5.0]]
    assert found.tensors["contributions"].tolist() == [[2.0, 2.0], [2.5, 2.5]]
    assert found.tensors["evidence"].tolist() == [[2.0, 2.0, 0, 0, 0], [2.5, 2.5, 0, 0, 0]]
    assert found.tensors["qualified"].tolist() == [9, 9]
    assert found.tensors["drift"].tolist() == [3, 0, 0, 0, 0, 9, 0, 0, 0, 0]
    assert (found.suppressed, len(found.patients), len(found.answers)) == ((), 12, 12)
    assert {cell: len(people) for cell, people in found.cells.items()} == {
        (FOLD, "a4c"): 4,
        (FOLD, "plax"): 5,
        (FOLD, NO_LABEL): 3,
    }


def test_a_cell_of_few_patients_says_nothing_and_is_named() -> None:
    found = _sum([*_answers(5), *_plax(2, 10), *_none(2, 20)])
    assert found.tensors["abstained"].tolist() == [0, 0]
    assert found.tensors["answered"].tolist() == [5, 0]
    assert found.suppressed == ("abstained.nobody-qualified", "answered.plax")
    assert not found.tensors["weights"][1].any()
    assert found.tensors["qualified"].tolist() == [5, 5]
    assert len(found.answers) == 5


def test_patients_are_counted_and_not_answers() -> None:
    often = [Answer(n, f"p{n % 2}", an_answer(None)) for n in range(30)]
    found = _sum([*often, *_plax(2, 100)])
    assert (found.tensors["answered"].tolist(), found.answers, found.cells) == ([0, 0], (), {})
    assert found.suppressed == ("answered.a4c", "answered.plax")


def test_totals_are_of_what_is_told() -> None:
    found = _sum([*_answers(20), *_plax(6, 100), *_none(1, 200)])
    assert (found.tensors["answered"].tolist(), found.suppressed) == ([20, 6], ("abstained.nobody-qualified",))
    assert (found.tensors["qualified"].tolist(), len(found.answers)) == ([26, 26], 26)


def test_few_who_are_not_qualified_hide_those_who_are() -> None:
    low = dict.fromkeys(SITES, 0.5) | {"ben": 0.02}
    found = _sum([*_answers(6), *_answers(2, 10, qualified=low)])
    assert found.tensors["qualified"].tolist() == [8, 0]
    assert found.suppressed == ("qualified.ben",)
    more = _sum([*_answers(6), *_answers(3, 10, qualified=low)])
    assert (more.tensors["qualified"].tolist(), more.suppressed) == ([9, 6], ())


def test_a_p_value_of_alpha_does_not_qualify() -> None:
    """As the answer has it: with few calibration patients the least p-value there can be is alpha itself."""
    found = _sum([*_answers(6), *_answers(3, 10, qualified=dict.fromkeys(SITES, 0.1))])
    assert found.tensors["qualified"].tolist() == [6, 6]


def test_qualification_and_drift_together_part_no_tenth_into_few() -> None:
    """Alpha is 0.15 here: who is not qualified, less who is in the first tenth, are the few from 0.1 to 0.15."""

    def at(p: float, count: int, first: int) -> list[Answer]:
        return _answers(count, first, qualified=dict.fromkeys(SITES, 0.5) | {"ada": p})

    def told(few: int) -> Sums:
        answers = [*at(0.05, 10, 0), *at(0.12, few, 20), *at(0.18, 6, 40), *at(0.5, 9, 60)]
        return sum_up(_release(alpha=0.15), LABELS, "ada", answers, (), LIMITS)

    assert told(1).suppressed == ("qualified.ada",)
    assert told(1).tensors["drift"].tolist() == [10, 7, 0, 0, 0, 9, 0, 0, 0, 0]
    assert (told(3).suppressed, told(3).tensors["qualified"].tolist()) == ((), [15, 28])


def test_drift_is_of_the_own_calibration() -> None:
    sure = dict.fromkeys(SITES, 1.0)
    found = _sum([*_answers(4), *_answers(3, 10, qualified=sure)])
    assert found.tensors["drift"].tolist() == [0, 0, 0, 0, 0, 4, 0, 0, 0, 3]
    few = _sum([*_answers(4), *_answers(2, 10, qualified=sure)])
    assert not few.tensors["drift"].any()
    assert few.suppressed == ("drift.5", "drift.9")  # one could be had from the other and the total
    third = _answers(8, 30, qualified=dict.fromkeys(SITES, 0.25))
    kept = _sum([*_answers(4), *third, *_answers(2, 10, qualified=sure)])
    assert kept.tensors["drift"].tolist() == [0, 0, 8, 0, 0, 0, 0, 0, 0, 0]
    assert not _sum(_answers(9), calibration="none").tensors["drift"].any()


def _truths(answers: Sequence[Answer], label: str) -> list[Truth]:
    return [Truth(answer.number + 10_000, answer, label) for answer in answers]


def test_wrong_answers_are_counted_where_the_truth_was_told() -> None:
    answers = _answers(9)
    found = _sum(answers, [*_truths(answers[:3], "a4c"), *_truths(answers[3:9], "plax")])
    assert [found.tensors[name].tolist() for name in ("flagged", "wrong", "wrong_confident")] == [
        [9, 0],
        [6, 0],
        [6, 0],
    ]
    assert found.cells[FLAGGED, "a4c"] == frozenset(answer.patient for answer in answers)
    assert found.suppressed == ()


@pytest.mark.parametrize(("wrong", "told"), [(0, 0), (2, None), (3, 3), (6, 6), (7, None), (9, 9)])
def test_few_wrong_or_few_right_answers_are_not_told(wrong: int, told: int | None) -> None:
    answers = _answers(9)
    found = _sum(answers, [*_truths(answers[:wrong], "plax"), *_truths(answers[wrong:], "a4c")])
    assert found.tensors["wrong"].tolist() == [told or 0, 0]
    assert found.tensors["wrong_confident"].tolist() == [told or 0, 0]
    assert found.suppressed == (("wrong.a4c", "wrong_confident.a4c") if told is None else ())


def test_an_answer_that_was_not_sure_is_not_confidently_wrong() -> None:
    unsure = _answers(6, probabilities={"a4c": 0.8, "plax": 0.2})
    found = _sum(unsure, _truths(unsure, "plax"))
    assert (found.tensors["wrong"].tolist(), found.tensors["wrong_confident"].tolist()) == ([6, 0], [0, 0])
    path = (Step(concept="a4c", probability=0.95),)
    stepped = _answers(6, probabilities={"a4c": 0.8, "plax": 0.2}, path=path)
    assert _sum(stepped, _truths(stepped, "plax")).tensors["wrong_confident"].tolist() == [6, 0]


def test_flags_of_few_patients_are_not_told_and_the_last_one_counts() -> None:
    answers = _answers(5)
    few = _sum(answers, _truths(answers[:2], "plax"))
    assert (few.tensors["flagged"].tolist(), few.suppressed) == ([0, 0], ("flagged.a4c",))
    assert _sum(answers, _truths(answers, "a4c"), Limits(cell=3, batch=6)).suppressed == ("flagged.a4c",)
    again = _sum(answers, [*_truths(answers, "plax"), *_truths(answers, "a4c")])
    assert (again.tensors["flagged"].tolist(), again.tensors["wrong"].tolist()) == ([5, 0], [0, 0])
    none = _none(5, 0)
    assert _sum([*answers, *none], _truths(none, "plax")).tensors["flagged"].tolist() == [0, 0]


def test_an_answer_above_the_truth_is_right() -> None:
    concepts = (("a4c", ()), ("plax", ("a4c",)))
    nested = Vocabulary(
        name="v", concepts=tuple(Concept(code=code, scheme="s", meaning=code, parents=up) for code, up in concepts)
    )
    answers = _answers(5)
    assert _sum(answers, _truths(answers, "plax"), vocabulary=nested).tensors["wrong"].tolist() == [0, 0]
    assert _sum(answers, _truths(answers, "newer"), vocabulary=nested).tensors["wrong"].tolist() == [5, 0]


def test_other_records_of_a_patient_are_other_images() -> None:
    first, second = (
        _sum(_answers(4)).images(),
        _sum([Answer(n + 50, f"p{n}", an_answer(None)) for n in range(4)]).images(),
    )
    assert set(first) == set(second)
    assert all(first[patient] != second[patient] for patient in first)


def test_a_flag_in_another_period_is_something_else() -> None:
    answers, others = _answers(4), _answers(4, 100)
    flags = [Truth(number, answer, "plax") for number, answer in enumerate(answers, 200)]
    again = [Truth(number, answer, "plax") for number, answer in enumerate(answers, 300)]
    first, second = _sum(others, flags).images(), _sum(others, again).images()
    assert set(first) == {answer.patient for answer in (*answers, *others)}
    assert all(first[answer.patient] != second[answer.patient] for answer in answers)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=40), st.integers(1, 6))
def test_whatever_comes_no_cell_is_of_few(said: list[tuple[int, int]], least: int) -> None:
    made = (_answers, _plax, _none)
    answers = [
        Answer(number, f"p{patient}", made[kind](1, number)[0].decision) for number, (kind, patient) in enumerate(said)
    ]
    found = _sum(answers, limits=Limits(cell=least, batch=1))
    assert all(len(patients) >= least for patients in found.cells.values())
    assert found.tensors["answered"].sum() + found.tensors["abstained"].sum() == len(found.answers)
    drift = [answer for answer in found.answers if found.tensors["drift"][int(10 * answer.decision.qualified["ada"])]]
    hidden = {answer.patient for answer in found.answers if answer not in drift}
    assert not hidden or not drift or len(hidden) >= least
