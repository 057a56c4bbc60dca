from __future__ import annotations

from dataclasses import replace

import pytest

from shared_models.early_stop import best_epoch, is_over
from shared_models.recipe import Recipe

RECIPE = Recipe(epochs=6, batch=2, rate=0.1, seed=0, metric="right", patience=2)
NAN = float("nan")


def history(*values: float) -> list[dict[str, float]]:
    return [{"epoch": number, "loss": 1.0, "right": value} for number, value in enumerate(values, start=1)]


@pytest.mark.parametrize(
    ("values", "greatest", "smallest"),
    [
        ((0.5,), 1, 1),
        ((0.5, 0.7, 0.6), 2, 1),
        ((0.7, 0.7, 0.6, 0.6), 1, 3),  # the first of equal ones
        ((NAN, 0.2, NAN, 0.4), 4, 2),
        ((NAN, NAN), 2, 2),  # nothing to go by: the last
        ((float("-inf"), 0.0, float("inf")), 3, 1),
    ],
)
def test_the_best_is_the_first_of_the_best(values: tuple[float, ...], greatest: int, smallest: int) -> None:
    assert best_epoch(history(*values), RECIPE) == greatest
    assert best_epoch(history(*values), replace(RECIPE, smallest=True)) == smallest


def test_without_a_metric_or_a_validation_it_is_the_last() -> None:
    assert best_epoch(history(0.9, 0.1), replace(RECIPE, metric="", patience=None)) == 2
    assert best_epoch([{"epoch": 1, "loss": 0.1}, {"epoch": 2, "loss": 0.2}], RECIPE) == 2


def test_a_metric_that_is_not_found_is_told() -> None:
    with pytest.raises(ValueError, match=r"^metric 'f1' is not what the validation finds$"):
        best_epoch(history(0.9), replace(RECIPE, metric="f1"))


@pytest.mark.parametrize(
    ("values", "over"),
    [
        ((), False),
        ((0.5,), False),
        ((0.5, 0.5), False),
        ((0.5, 0.5, 0.5), True),
        ((0.5, 0.4, 0.6, 0.6), False),
        ((0.5, 0.4, 0.6, 0.6, 0.1), True),
        ((0.1, 0.2, 0.3, 0.4, 0.5, 0.6), True),
    ],
)
def test_it_waits_as_long_as_patience_lasts(values: tuple[float, ...], over: bool) -> None:
    assert is_over(history(*values), RECIPE) is over
    assert is_over(history(*values), replace(RECIPE, patience=None)) is (len(values) == 6)
