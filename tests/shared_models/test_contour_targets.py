"""Distances from contours that are known."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.contour_targets import distance_map
from shared_models.long_axis import seven_points
from tests.shared_models.test_long_axis import half_ellipse

POINTS = seven_points(half_ellipse(12.0, 36.0)) + np.array([32.0, 10.0])


def test_it_is_nought_on_the_contour_and_one_far_away() -> None:
    found = distance_map(POINTS, (64, 64))
    for x, y in POINTS:
        assert found[round(y), round(x)] * 32 <= np.hypot(0.5, 0.5) + 1e-6
    assert found.shape == (64, 64)
    assert found.dtype == np.float32
    assert found[63, 0] == pytest.approx(np.hypot(20, 17) / 32, abs=0.02)
    assert found.max() <= 1


def test_the_valve_is_no_part_of_it() -> None:
    found = distance_map(POINTS, (64, 64))
    assert found[46, 32] * 32 == pytest.approx(12, abs=0.7)


def test_what_is_farther_than_the_reach_is_one() -> None:
    found = distance_map(POINTS, (64, 64), reach=5.0)
    assert found[0, 0] == 1
    near = distance_map(POINTS, (64, 64)) * 32 < 5
    assert np.allclose(found[near] * 5, distance_map(POINTS, (64, 64))[near] * 32, atol=1e-4)
