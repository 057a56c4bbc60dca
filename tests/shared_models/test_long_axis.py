"""Seven points and discs of curves that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.long_axis import along, enclosed, enclosed_discs, seven_points, simpson_biplane, spline


def half_ellipse(radius, length, count=2000):
    """From the base's left end over the apex, which is up (small y), to its right end."""
    turns = np.linspace(np.pi, 0, count)
    return np.stack([radius * np.cos(turns), length * (1 - np.sin(turns))], axis=1)


def test_the_seven_points_of_half_an_ellipse():
    points = seven_points(half_ellipse(20.0, 80.0))
    assert points[[0, 3, 6]] == pytest.approx(np.array([[-20, 80], [0, 0], [20, 80]]), abs=0.1)
    assert points[::-1] * [-1, 1] == pytest.approx(points, abs=0.1)
    tent = seven_points(along(np.array([[-3.0, 4.0], [0.0, 0.0], [3.0, 4.0]]), np.linspace(0, 1, 1201)))
    assert tent == pytest.approx(np.array([[-3, 4], [-2, 8 / 3], [-1, 4 / 3], [0, 0], [1, 4 / 3], [2, 8 / 3], [3, 4]]))


def test_discs_and_simpsons_volume_of_half_an_ellipsoid_in_closed_form():
    diameters, length = enclosed_discs(half_ellipse(20.0, 80.0))
    middles = (np.arange(20) + 0.5) / 20
    assert length == pytest.approx(80.0)
    assert diameters == pytest.approx(40 * np.sqrt(1 - middles**2), rel=1e-3)
    exact = 2 / 3 * np.pi * 20 * 26 * 80 / 1000
    assert simpson_biplane(half_ellipse(20.0, 80.0), half_ellipse(26.0, 80.0)) == pytest.approx(exact, rel=0.002)
    tilted = half_ellipse(20.0, 80.0) @ np.array([[np.cos(0.4), np.sin(0.4)], [-np.sin(0.4), np.cos(0.4)]])
    assert simpson_biplane(tilted, half_ellipse(26.0, 80.0)) == pytest.approx(exact, rel=0.002)


def test_shares_of_a_bent_lines_length():
    corner = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]])
    assert along(corner, np.array([0.0, 0.5, 0.75, 0.875, 1.0])).tolist() == [[0, 0], [2, 0], [3, 0], [3, 0.5], [3, 1]]


def test_the_spline_runs_through_all_seven_points() -> None:
    points = seven_points(half_ellipse(20.0, 80.0))
    curve = spline(points)
    assert np.array([np.linalg.norm(curve - point, axis=1).min() for point in points]).max() < 0.2
    assert curve[[0, -1]] == pytest.approx(points[[0, -1]])


def test_what_the_closed_curve_holds() -> None:
    inside = enclosed(half_ellipse(20.0, 80.0) + np.array([50.0, 10.0]), (100, 100))
    assert inside.sum() == pytest.approx(np.pi * 20 * 80 / 2, rel=0.03)
    assert inside[60, 50]
    assert not inside[95, 50]
