"""Where voxels lie, in one convention for arrays of both kinds."""

from __future__ import annotations

import numpy as np
import pytest

from site_agent.registration.grids import Grid, applied, leading, picture_grid, positions, rows_first
from tests.site_agent.registration.image_making import oblique


def test_a_picture_has_rows_first_and_x_to_the_right() -> None:
    grid = picture_grid(4, 6, (0.5, 0.25))
    assert applied(grid.matrix, np.array([[2.0, 3.0]])).tolist() == [[0.75, 1.0]]
    assert grid.spacing == (0.5, 0.25)
    assert str(grid) == "6x4 pixels of 0.25x0.5 mm"
    assert str(picture_grid(4, 6, None)) == "6x4 pixels of unknown size"


def test_spacing_is_of_the_arrays_axes_however_they_are_turned() -> None:
    grid = Grid((3, 4, 5), oblique((1.0, 1.5, 2.0), (4, 5, 6)), known=True, placed=True)
    assert grid.spacing == pytest.approx((1, 1.5, 2))
    assert grid.dimensions == 3
    assert str(grid) == "3x4x5 voxels of 1x1.5x2 mm"


def test_one_grid_is_the_same_as_another_at_the_same_place() -> None:
    grid = Grid((3, 4, 5), oblique((1, 1, 1), (4, 5, 6)), known=True, placed=True)
    near = Grid((3, 4, 5), grid.matrix + 1e-5, known=True, placed=True)
    moved = Grid((3, 4, 5), oblique((1, 1, 1), (4, 5, 6.1)), known=True, placed=True)
    assert grid.same_as(near)
    assert not grid.same_as(moved)
    assert not grid.same_as(Grid((3, 4, 6), grid.matrix, known=True, placed=True))


def test_a_voxel_leads_to_the_voxel_at_its_place() -> None:
    one = Grid((8, 8, 8), oblique((1, 2, 3), (4, 5, 6)), known=True, placed=True)
    other = Grid((9, 7, 5), oblique((2, 1, 1), (-3, 0, 2)), known=True, placed=True)
    points = np.array([[1.0, 2.0, 3.0], [0.0, 0.5, 7.0]])
    there = applied(leading(one, other), points)
    assert applied(other.matrix, there) == pytest.approx(applied(one.matrix, points))


def test_positions_are_those_of_every_voxel() -> None:
    matrix = np.array([[0.0, 2.0, 1.0], [3.0, 0.0, -1.0], [0, 0, 1]])
    found = positions((2, 3), matrix)
    assert found.shape == (2, 2, 3)
    assert found[:, 1, 2].tolist() == [5, 2]
    assert rows_first(rows_first(matrix)).tolist() == matrix.tolist()
