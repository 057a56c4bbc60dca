"""Points go back to the contour along its normals."""

from __future__ import annotations

import numpy as np

from shared_models.contour_refinement import INNER, normals, refined
from shared_models.contour_targets import distance_map
from shared_models.long_axis import seven_points, spline
from tests.shared_models.test_long_axis import half_ellipse

POINTS = seven_points(half_ellipse(24.0, 70.0)) + np.array([48.0, 12.0])
MAP = distance_map(POINTS, (96, 96))


def _off(points: np.ndarray) -> np.ndarray:
    curve = spline(POINTS)
    return np.array([np.linalg.norm(curve - point, axis=1).min() for point in points])


def test_points_beside_the_contour_are_brought_to_it() -> None:
    strayed = POINTS.copy()
    strayed[list(INNER)] += np.array([[4.0, 0.0], [-3.0, 1.0], [3.0, 2.0], [-4.0, 0.0]])
    assert _off(strayed).max() > 2
    found = refined(strayed, MAP)
    assert _off(found).max() < 0.8
    assert np.array_equal(found[[0, 3, 6]], POINTS[[0, 3, 6]])


def test_points_on_the_contour_stay() -> None:
    assert np.linalg.norm(refined(POINTS, MAP) - POINTS, axis=1).max() < 0.8


def test_a_map_that_says_nothing_moves_nothing() -> None:
    assert np.array_equal(refined(POINTS, np.ones((96, 96), np.float32)), POINTS)


def test_normals_stand_on_the_curve() -> None:
    found = normals(POINTS)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert np.abs(found[3] @ np.array([1.0, 0.0])) < 0.05
