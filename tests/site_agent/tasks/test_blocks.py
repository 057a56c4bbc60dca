"""What enters a contribution: small cells left out, patients weighing alike, an order that says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.disclosure import Limits
from federated.errors import DisclosureError
from site_agent.catalogue import Case
from site_agent.tasks.blocks import (
    cells_of,
    class_balance,
    facts_of,
    images_digests,
    largest_share,
    numbered,
    sample_weights,
    select,
    shuffled,
)

SECRET = bytes(range(32))


def _case(number: int, patient: str, label: str, fold: str = "train") -> Case:
    return Case(number, f"{number}", f"{number:064x}", patient, label, f"clip {number}", 0, 0, fold, "b0001")


def _cases(*rows: tuple[str, str] | tuple[str, str, str]) -> list[Case]:
    return [_case(number, *row) for number, row in enumerate(rows)]


def _patients(label: str, number: int, fold: str = "train") -> list[tuple[str, str, str]]:
    return [(f"{fold}-{label}-{index}", label, fold) for index in range(number)]


def test_cells_count_patients_not_images() -> None:
    cells = cells_of(_cases(("p", "a"), ("p", "a"), ("q", "a"), ("q", "b", "validation")))
    assert cells == {("train", "a"): {"p", "q"}, ("validation", "b"): {"q"}}


def test_a_cell_under_the_minimum_is_left_out_and_told() -> None:
    cases = _cases(*_patients("a", 5), *_patients("b", 4), *_patients("a", 5, "validation"))
    chosen = select(cases, Limits(cell=5, batch=5), where="batch b0001")
    assert {case.label for case in chosen.folds["train"]} == {"a"}
    assert len(chosen.folds["validation"]) == 5
    assert chosen.left_out == {("train", "b"): 4}


def test_an_image_is_kept_in_its_fold_by_any_label_that_is() -> None:
    shown = _cases(*_patients("a", 5))
    cases = [*shown, *(replace(case, label="b") for case in shown[:2])]
    rare = _case(99, "q", "b")
    chosen = select([*cases, rare], Limits(cell=5, batch=5), where="batch b0001")
    assert all(chosen.keeps(case) for case in cases)
    assert not chosen.keeps(rare)
    assert not chosen.keeps(replace(shown[0], fold="validation"))


def test_a_label_that_nothing_trains_does_not_leave_for_validation() -> None:
    cases = _cases(*_patients("a", 5), *_patients("b", 5, "validation"))
    chosen = select(cases, Limits(cell=5, batch=5), where="batch b0001")
    assert set(chosen.folds) == {"train"}
    assert chosen.left_out == {("validation", "b"): 5}


def test_a_validation_fold_under_the_batch_minimum_stays_home() -> None:
    cases = _cases(*_patients("a", 9), *_patients("a", 6, "validation"))
    assert set(select(cases, Limits(cell=5, batch=7), where="batch").folds) == {"train"}


def test_nothing_to_train_on_is_refused_with_filter_and_cure() -> None:
    with pytest.raises(
        DisclosureError, match=r"refused by cell: batch b7: .*5 training patients .*has 4.*wait for"
    ) as told:
        select(_cases(*_patients("a", 4)), Limits(), where="batch b7")
    assert told.value.filter_name == "cell"


def test_a_patient_weighs_the_same_with_many_images_as_with_one() -> None:
    cases = _cases(("p", "a"), ("p", "a"), ("p", "a"), ("q", "a"), ("p", "b"))
    weights = sample_weights(cases, {"a": 1.0, "b": 1.0})
    np.testing.assert_allclose(weights, [1 / 3, 1 / 3, 1 / 3, 1.0, 1.0])


def test_balanced_labels_weigh_the_same_and_all_together_one_for_each_patient() -> None:
    cases = _cases(*_patients("a", 6), *_patients("b", 2))
    balance = class_balance(cases, "site")
    assert balance == {"a": 8 / 12, "b": 8 / 4}
    weights = sample_weights(cases, balance)
    assert weights[:6].sum() == pytest.approx(4.0)
    assert weights[6:].sum() == pytest.approx(4.0)
    assert class_balance(cases, "none") == {"a": 1.0, "b": 1.0}


@given(st.lists(st.tuples(st.sampled_from("pqrs"), st.sampled_from("ab")), min_size=1, max_size=30))
def test_weights_add_up_to_the_distinct_patients(rows: list[tuple[str, str]]) -> None:
    cases = _cases(*rows)
    total = sample_weights(cases, class_balance(cases, "site")).sum()
    assert total == pytest.approx(len({patient for patient, _ in rows}))


def test_largest_share_is_the_patients_part_of_the_smallest_class() -> None:
    cases = _cases(("p", "a"), ("p", "a"), ("q", "a"), ("r", "b"), ("s", "b"), ("t", "b"))
    assert largest_share(cases, sample_weights(cases, {"a": 5.0, "b": 1.0})) == pytest.approx(1 / 2)
    assert largest_share([], np.zeros(0)) == 0.0


def test_facts_hold_patients_by_fold_and_label() -> None:
    folds = {"train": _cases(("p", "a"), ("q", "a")), "validation": [_case(9, "r", "a", "validation")]}
    facts = facts_of("statistics", folds, {"train": np.ones(2), "validation": np.ones(1)}, size=7, level=2, features=3)
    assert facts.cells == {("train", "a"): {"p", "q"}, ("validation", "a"): {"r"}}
    assert (facts.size, facts.level, facts.features, facts.largest_share) == (7, 2, 3, 1.0)
    assert set(facts.images) == {"p", "q", "r"}


def test_other_images_of_a_patient_are_a_change() -> None:
    first, second, third = _cases(("p", "a"), ("p", "a"), ("p", "a"))
    assert images_digests([first, second]) == images_digests([second, first])
    assert images_digests([first, second]) != images_digests([first, third])


@given(st.permutations(range(12)))
def test_order_and_numbers_depend_on_the_secret_and_on_nothing_else(order: list[int]) -> None:
    cases = _cases(*[(f"p{number // 2}", "a") for number in range(12)])
    rows = shuffled([cases[index] for index in order], SECRET)
    assert rows == shuffled(cases, SECRET)
    assert rows != shuffled(cases, bytes(32))
    assert sorted(set(numbered(rows, SECRET))) == list(range(6))
    by_patient = dict(zip([case.patient for case in rows], numbered(rows, SECRET), strict=True))
    assert by_patient == dict(zip([case.patient for case in cases], numbered(cases, SECRET), strict=True))
    assert numbered(cases, SECRET) != numbered(cases, bytes(32))
