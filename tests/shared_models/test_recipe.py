from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared_models.recipe import Recipe

GOOD = Recipe(epochs=1, batch=2, rate=1e-3, seed=0)


def test_the_least_and_the_most_are_taken() -> None:
    replace(GOOD, warm_up=1.0, decay=0.0, clip=1e-9, average=0.0, metric="f1", patience=1, samples_an_epoch=2)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"optimiser": "lamb"}, "optimiser 'lamb' is not one of adam, adamw, sgd"),
        ({"schedule": "step"}, "schedule 'step' is not one of constant, cosine"),
        ({"precision": "float16"}, "precision 'float16' is not one of float32, bfloat16, auto"),
        ({"epochs": 0}, "epochs 0 is not 1 or more"),
        ({"batch": 1}, "batch 1 is not 2 or more"),
        ({"seed": -1}, "seed -1 is not 0 or more"),
        ({"rate": 0.0}, "rate 0.0 is not more than 0"),
        ({"rate": float("nan")}, "rate nan is not more than 0"),
        ({"decay": -0.1}, "decay -0.1 is not 0 or more"),
        ({"warm_up": 1.1}, "warm_up 1.1 is not from 0 to 1"),
        ({"clip": 0.0}, "clip 0.0 is not more than 0"),
        ({"average": 1.0}, "average 1.0 is not from 0 to less than 1"),
        ({"samples_an_epoch": 1}, "samples_an_epoch 1 is not 2 or more"),
        ({"metric": "f1", "patience": 0}, "patience 0 is not 1 or more"),
        ({"patience": 3}, "patience is given, but no metric to wait for"),
        ({"metric": "loss"}, "metric 'loss' is not of the validation"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(change: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match="is") as told:
        replace(GOOD, **change)
    assert str(told.value) == line
