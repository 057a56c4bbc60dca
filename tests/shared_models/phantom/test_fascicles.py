"""Connective tissue: bounded, periodic, elongated across the beam and along the muscle."""

from __future__ import annotations

import numpy as np

from shared_models.phantom.fascicles import streaks


def _plane(seed: int, z: float = 0.0, step: float = 0.1, count: int = 240) -> np.ndarray:
    axis = (np.arange(count) * step).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    return streaks(seed, x.ravel(), y.ravel(), np.full(x.size, z, np.float32)).reshape(count, count)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_values_are_shares():
    found = _plane(5)
    assert found.min() >= 0
    assert 0.7 < found.max() <= 1
    assert 0.05 < found.mean() < 0.35


def test_the_tile_repeats():
    point = np.array([3.3], np.float32), np.array([7.1], np.float32), np.array([11.0], np.float32)
    shifted = point[0] + 48, point[1] + 24, point[2] + 96
    np.testing.assert_allclose(streaks(1, *point), streaks(1, *shifted), atol=1e-4)


def test_sheets_lie_across_the_beam_and_last_along_the_muscle():
    plane = _plane(2)
    across, deep = _correlation(plane[:, :-10], plane[:, 10:]), _correlation(plane[:-10], plane[10:])
    assert across > 0.3 > abs(deep)
    assert _correlation(plane, _plane(2, z=2.0)) > 0.5 > abs(_correlation(plane, _plane(2, z=40.0)))


def test_seeds_differ():
    assert abs(_correlation(_plane(1), _plane(2))) < 0.2
