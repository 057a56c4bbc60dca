from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import KDTree

from shared_models.phantom.shapes import Ellipsoid, Tube, Valve, unit
from tests.shared_models.phantom.hearts import FEW, SOME, gradient, seeds

BOX = np.random.default_rng(5).uniform(-40, 40, (3000, 3))


def tube(generator, count):
    """A chain whose balls never swallow each other."""
    points = np.cumsum(generator.uniform([-1, -1, 1], [1, 1, 3], (count, 3)), axis=0) * 12
    return Tube(points - points.mean(axis=0), generator.uniform(4.0, 9.0, count))


def test_a_sphere_is_an_exact_ellipsoid():
    ball = Ellipsoid(np.array([3.0, -2.0, 5.0]), np.full(3, 11.0), 0.7)
    away = BOX - ball.centre
    assert ball.distance(*BOX.T) == pytest.approx(np.linalg.norm(away, axis=1) - 11)
    assert ball.normal(*BOX.T) == pytest.approx(unit(away))


@given(seeds)
@SOME
def test_an_ellipsoid_has_the_right_inside_and_a_slope_of_one_at_its_surface(seed):
    generator = np.random.default_rng(seed)
    body = Ellipsoid(generator.uniform(-5, 5, 3), generator.uniform(14, 30, 3), generator.uniform(0, 6))
    offset = BOX - body.centre
    cosine, sine = np.cos(body.turn), np.sin(body.turn)
    turned = offset @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    assert np.array_equal(body.distance(*BOX.T) < 0, ((turned / body.radii) ** 2).sum(axis=1) < 1)
    near = BOX[np.abs(body.distance(*BOX.T)) < 1.0]
    slope = gradient(body.distance, near)
    assert np.linalg.norm(slope, axis=1) == pytest.approx(1.0, abs=0.15)
    assert (unit(slope) * body.normal(*near.T)).sum(axis=1).min() > 0.98


@given(seeds, st.integers(2, 5))
@SOME
def test_a_tube_is_what_a_growing_ball_sweeps(seed, count):
    swept = tube(np.random.default_rng(seed), count)
    steps = np.linspace(0, count - 1, 6000)
    middles, radii = (
        np.stack([np.interp(steps, range(count), part) for part in one.T], axis=1)
        for one in (swept.points, swept.radii[:, None])
    )
    nearest = (np.linalg.norm(BOX[:100, None] - middles, axis=2) - radii[:, 0]).min(axis=1)
    assert swept.distance(*BOX[:100].T) == pytest.approx(nearest, abs=0.01)
    single = swept.distance(*BOX[:100].T.astype(np.float32))
    assert single.dtype == np.float32
    assert single == pytest.approx(nearest, abs=0.02)


@given(seeds)
@FEW
def test_the_normals_of_a_tube_are_the_slope_of_its_distance(seed):
    swept = tube(np.random.default_rng(seed), 4)
    near = BOX[np.abs(swept.distance(*BOX.T)) < 2.0]
    slope = gradient(swept.distance, near)
    agree = (slope * swept.normal(*near.T)).sum(axis=1)
    assert np.quantile(agree, 0.02) > 0.999  # where two pieces are equally near there is a crease
    assert np.linalg.norm(slope, axis=1).max() < 1 + 1e-3


@pytest.mark.parametrize("slit", [0.0, 6.0])
@pytest.mark.parametrize("opening", [0.0, 0.4, 1.0])
def test_the_distance_to_leaflets_is_that_to_the_nearest_of_their_points(opening, slit):
    axis = unit(np.array([0.3, -0.2, 0.9]))
    line = unit(np.cross(axis, [0.4, 0.8, 0.1]))
    valve = Valve(np.array([2.0, 1.0, -4.0]), axis, 12.0, 14.0, 0, 1.5, np.deg2rad(80), slit, tuple(line))
    shut = np.arccos(12 / 14)
    angle = shut + opening * (np.deg2rad(80) - shut)
    along = np.linspace(0, 14, 140)
    off, height = 12 - along * np.cos(angle), along * np.sin(angle)
    turns = np.linspace(0, 2 * np.pi, 800)  # about the ends of the slit, and straight lines between them
    bent = [np.stack([off * np.sin(t), off * np.cos(t) + slit * np.sign(np.cos(t)), height], axis=1) for t in turns]
    straight = [
        np.stack([sign * off, np.full(140, at), height], axis=1)
        for at in np.linspace(-slit, slit, 120)
        for sign in (-1, 1)
    ]
    sheet = valve.centre + np.concatenate(bent + straight) @ np.stack([np.cross(line, axis), line, axis])
    nearest = KDTree(sheet).query(BOX[:1500])[0] - 0.75
    assert valve.distance(*BOX[:1500].T, opening) == pytest.approx(nearest, abs=0.05)
    assert np.linalg.norm(sheet - valve.centre, axis=1).max() < valve.reach
