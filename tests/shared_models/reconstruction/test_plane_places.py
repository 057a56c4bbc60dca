"""Pixels of planes lie where geometry says."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.phantom.planes import Plane
from shared_models.phantom.volumes import Grid
from shared_models.reconstruction.plane_places import GREY, SEEN, drawn, places

GRID = Grid(np.array([-7.0, -7.0, -7.0]), 2.0, 8)  # voxel centres from -7 to 7 mm
X, Y, Z = np.eye(3)


def test_pixels_of_a_plane_as_wide_as_the_volume_are_its_voxels() -> None:
    found = places(Plane(np.zeros(3), X, Y), GRID, 2.0, pixels=8)
    assert found[3, 5] == pytest.approx([5, 3, 3.5])
    assert found[0, 0] == pytest.approx([0, 0, 3.5])


def test_a_tilted_plane_is_placed_by_its_axes() -> None:
    right = np.array([0.6, 0.0, 0.8])
    found = places(Plane(np.array([1.0, 0.0, 0.0]), right, Y), GRID, 1.0, pixels=4)
    assert found[0, 3] * 2.0 - 7.0 == pytest.approx(np.array([1.0, 0, 0]) + 1.5 * right - 1.5 * Y, abs=1e-5)


def test_a_plane_is_drawn_where_it_lies_and_nowhere_else() -> None:
    plane = np.arange(64).reshape(1, 8, 8) / 64
    volume = drawn(plane.astype(np.float32), places(Plane(-Z, X, Y), GRID, 2.0, pixels=8)[None], 8)
    assert np.array_equal(volume[GREY, :, :, 3], plane[0].T)
    assert volume[SEEN, :, :, 3].all()
    assert volume[SEEN].sum() == 64
    assert volume[GREY].sum() == pytest.approx(plane.sum())


def test_where_two_planes_cross_their_mean_is_drawn() -> None:
    cuts = Plane(-Z, X, Y), Plane(-Y, X, Z)
    where = np.stack([places(cut, GRID, 2.0, pixels=4) for cut in cuts])
    volume = drawn(np.stack([np.zeros((4, 4)), np.ones((4, 4))]).astype(np.float32), where, 8)
    assert [int((volume[GREY] == grey).sum()) for grey in (0.5, 1.0)] == [4, 12]
    assert volume[SEEN].sum() == 28


def test_what_lies_outside_is_left_out() -> None:
    far = places(Plane(np.array([100.0, 0, 0]), X, Y), GRID, 2.0, pixels=4)[None]
    assert drawn(np.ones((1, 4, 4), np.float32), far, 8).sum() == 0


def test_planes_without_places() -> None:
    with pytest.raises(ValueError, match=r"planes are \(2, 4, 4\), the places of their pixels \(1, 4, 4, 3\)"):
        drawn(np.ones((2, 4, 4), np.float32), np.zeros((1, 4, 4, 3), np.float32), 8)
