"""Distances from contours that are known."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.contour_targets import REACH, distance_map
from shared_models.long_axis import seven_points
from tests.shared_models.test_long_axis import half_ellipse

REACHED = 64 * REACH
POINTS = seven_points(half_ellipse(12.0, 36.0)) + np.array([32.0, 10.0])


def test_it_is_nought_on_the_contour_and_one_far_away() -> None:
    found = distance_map(POINTS, (64, 64))
    for x, y in POINTS:
        assert found[round(y), round(x)] * REACHED <= np.hypot(0.5, 0.5) + 1e-6
    assert found.shape == (64, 64)
    assert found.dtype == np.float32
    assert found[46, 16] * REACHED == pytest.approx(4, abs=0.1)
    assert found[63, 0] == 1
    assert found.max() <= 1


def test_the_valve_is_no_part_of_it() -> None:
    found = distance_map(POINTS, (64, 64))
    assert found[46, 26] * REACHED == pytest.approx(6, abs=0.7)
    assert found[46, 32] == 1


def test_the_reach_grows_with_the_map() -> None:
    large = distance_map(2 * POINTS + 0.5, (128, 128))
    assert distance_map(POINTS, (64, 64)) == pytest.approx(large.reshape(64, 2, 64, 2).mean(axis=(1, 3)), abs=0.07)
