from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared_models.schedules import FLOOR, Schedule, rate_at


def rates(steps: int, schedule: Schedule, warm_up: float) -> list[float]:
    return [rate_at(step, steps, rate=0.2, schedule=schedule, warm_up=warm_up) for step in range(steps)]


def test_it_rises_in_a_line_and_falls_as_half_a_cosine() -> None:
    found = rates(100, "cosine", 0.1)
    assert found[:10] == pytest.approx(0.2 * np.arange(1, 11) / 10)
    assert found[10] == max(found) == 0.2
    assert found[55] == pytest.approx(0.2 * (FLOOR + 1) / 2)  # half-way down
    assert found[40] == pytest.approx(0.2 * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi / 3)) / 2))
    assert np.all(np.diff(found[10:]) < 0)
    assert found[99] < 0.2 * (FLOOR + 1e-3)


def test_constant_is_constant_after_the_rise() -> None:
    assert rates(5, "constant", 0.0) == [0.2] * 5
    assert rates(4, "constant", 0.5) == [0.1, 0.2, 0.2, 0.2]


@given(some.integers(1, 200), some.sampled_from(["constant", "cosine"]), some.floats(0, 1))
def test_it_is_never_nothing_and_never_more_than_the_rate(steps: int, schedule: Schedule, warm_up: float) -> None:
    assert all(0 < rate < 0.2 + 1e-12 for rate in rates(steps, schedule, warm_up))
