"""What is drawn of refusals, and of whom."""

from __future__ import annotations

import numpy as np

from benchmarks.incremental.contestants import CONTESTANTS
from benchmarks.incremental.plots import DRAWN, refusals


def test_a_refusal_curve_goes_from_none_to_all() -> None:
    wrong, right = refusals(np.array([0.5, 1.0]), np.array([0.1, 0.5]))
    assert wrong.tolist() == [0.0, 0.0, 0.5, 1.0]
    assert right.tolist() == [0.0, 0.5, 1.0, 1.0]


def test_who_is_drawn_stands_in_the_contest() -> None:
    assert {name for group in DRAWN for name in group} <= set(CONTESTANTS)
