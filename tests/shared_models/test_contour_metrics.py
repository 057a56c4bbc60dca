"""Contours that are moved, turned and blown up by what is known."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.contour_metrics import contour_fit
from shared_models.long_axis import seven_points
from tests.shared_models.test_long_axis import half_ellipse

SHAPE = (96, 96)
POINTS = seven_points(half_ellipse(16.0, 60.0)) + np.array([48.0, 15.0])


def test_the_same_contour_fits() -> None:
    fit = contour_fit(POINTS, POINTS, 0.4, SHAPE)
    assert (fit.landmarks_mm, fit.contour_mm, fit.hausdorff_mm, fit.dice) == pytest.approx((0, 0, 0, 1))


def test_a_contour_that_is_moved_is_told_in_millimetres() -> None:
    fit = contour_fit(POINTS + np.array([3.0, 4.0]), POINTS, 0.5, SHAPE)
    assert (fit.base_1_mm, fit.apex_mm, fit.base_2_mm, fit.landmarks_mm) == pytest.approx((2.5,) * 4)
    assert 0 < fit.contour_mm < fit.hausdorff_mm <= 2.5 + 1e-9
    assert 0.7 < fit.dice < 0.95


def test_the_contours_distance_does_not_see_what_slides_along_it() -> None:
    """Points of the same half-circle at other places: the landmarks are off, the curve is not."""
    turns = np.linspace(np.pi, 0, 7)
    circle = np.stack([48.3 + 30 * np.cos(turns), 70.4 - 30 * np.sin(turns)], axis=1)
    slid = circle.copy()
    slid[1:6] = np.stack([48.3 + 30 * np.cos(turns[1:6] + 0.1), 70.4 - 30 * np.sin(turns[1:6] + 0.1)], axis=1)
    fit = contour_fit(slid, circle, 1.0, SHAPE)
    assert fit.apex_mm == pytest.approx(60 * np.sin(0.05), rel=1e-6)
    assert fit.contour_mm < 0.2
    assert fit.dice > 0.98


def test_a_contour_of_one_point_is_none() -> None:
    with pytest.raises(ValueError, match="are the same"):
        contour_fit(np.zeros((7, 2)), POINTS, 1.0, SHAPE)
