"""Points go back to the contour along its normals."""

from __future__ import annotations

import numpy as np

from shared_models.contour_refinement import INNER, normals, refined
from shared_models.contour_targets import distance_map
from shared_models.long_axis import seven_points, spline
from tests.shared_models.test_long_axis import half_ellipse

POINTS = seven_points(half_ellipse(24.0, 70.0)) + np.array([48.0, 12.0])
SIDE = 96
MAP = distance_map(POINTS, (SIDE, SIDE))


def _off(points: np.ndarray) -> np.ndarray:
    curve = spline(POINTS)
    return np.array([np.linalg.norm(curve - point, axis=1).min() for point in points])


def test_points_beside_the_contour_are_brought_to_it() -> None:
    strayed = POINTS.copy()
    strayed[list(INNER)] += np.array([[2.0, 0.0], [-1.5, 0.5], [1.5, 1.0], [-2.0, 0.0]])
    assert _off(strayed)[list(INNER)].min() > 0.9
    found = refined(strayed, MAP, SIDE)
    assert _off(found).max() < 0.25
    assert np.array_equal(found[[0, 3, 6]], POINTS[[0, 3, 6]])


def test_points_on_the_contour_stay() -> None:
    assert np.linalg.norm(refined(POINTS, MAP, SIDE) - POINTS, axis=1).max() < 0.2


def test_a_map_that_says_nothing_moves_nothing() -> None:
    assert np.array_equal(refined(POINTS, np.ones((SIDE, SIDE), np.float32), SIDE), POINTS)


def test_a_map_of_half_the_resolution_does_as_well() -> None:
    half = distance_map((POINTS + 0.5) / 2 - 0.5, (SIDE // 2, SIDE // 2))
    strayed = POINTS.copy()
    strayed[list(INNER)] += 1.4
    assert _off(refined(strayed, half, SIDE)).max() < 0.4 < _off(strayed)[list(INNER)].min()


def test_normals_stand_on_the_curve() -> None:
    found = normals(POINTS)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert np.abs(found[3] @ np.array([1.0, 0.0])) < 0.05
