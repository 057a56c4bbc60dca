"""Outlines from masks are those that the masks were drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

from shared_models.long_axis import seven_points
from shared_models.mask_contour import border, outline
from tests.shared_models.test_long_axis import half_ellipse

SIDE, RADIUS, LENGTH, WALL = 160, 28.0, 96.0, 9.0
MIDDLE, BASE = 80.0, 125.0


def _heart(shift: float = 0.0, tilt: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Half an ellipse, open below, in a wall; moved to the right and turned."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(float)
    x, y = columns - MIDDLE - shift, BASE - rows
    x, y = x * np.cos(tilt) + y * np.sin(tilt), -x * np.sin(tilt) + y * np.cos(tilt)
    cavity = ((x / RADIUS) ** 2 + (y / LENGTH) ** 2 <= 1) & (y >= 0)
    outer = ((x / (RADIUS + WALL)) ** 2 + (y / (LENGTH + WALL)) ** 2 <= 1) & (y >= 0)
    return cavity, outer & ~cavity


def _truth(shift: float = 0.0, tilt: float = 0.0) -> np.ndarray:
    curve = half_ellipse(RADIUS, LENGTH)
    x, y = curve[:, 0], LENGTH - curve[:, 1]
    turned = np.stack([x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)], axis=1)
    return turned * [1, -1] + [MIDDLE + shift, BASE]


@pytest.mark.parametrize("tilt", [0.0, 0.2, -0.25])
def test_the_seven_points_of_half_an_ellipse(tilt: float) -> None:
    found = seven_points(outline(*_heart(tilt=tilt)))
    distance = np.linalg.norm(found - seven_points(_truth(tilt=tilt)), axis=1)
    assert distance.max() < 2.0  # a staircase of pixels is longer where it is slanted
    assert distance[[0, 3, 6]].max() < 1.8
    assert found[0, 0] < found[3, 0] < found[6, 0]


def test_the_outline_lies_on_the_edge_and_leaves_the_valve_out() -> None:
    cavity, wall = _heart()
    found = outline(cavity, wall)
    truth = half_ellipse(RADIUS, LENGTH) * [1, 1] + [MIDDLE, BASE - LENGTH]
    off = np.asarray(cKDTree(truth).query(found)[0])
    assert off.mean() < 0.35
    to_border = np.asarray(cKDTree(np.argwhere(border(cavity))[:, ::-1]).query(found)[0])
    assert to_border.max() < 1.0
    assert to_border.mean() == pytest.approx(0.5, abs=0.1)
    assert np.linalg.norm(np.diff(found, axis=0), axis=1).max() < 2.0
    inner = np.abs(found[:, 0] - MIDDLE) < RADIUS / 2
    assert (found[inner, 1] < BASE - LENGTH / 2).all()


def test_a_second_piece_of_the_ventricle_is_left_out() -> None:
    cavity, wall = _heart()
    strayed = cavity.copy()
    strayed[2:6, 2:6] = True
    assert np.array_equal(outline(strayed, wall), outline(cavity, wall))


def test_a_cut_by_the_sector_is_not_taken_for_the_valve() -> None:
    cavity, wall = _heart()
    rows, columns = np.mgrid[:SIDE, :SIDE]
    seen = columns - 0.35 * rows < 72  # the wall and the cavity's upper right are out of sight
    free = border(cavity & seen) & ~binary_dilation(wall & seen, np.ones((3, 3), dtype=bool))
    cut, base = (int((free & part).sum()) for part in (rows < 121, rows >= 121))
    assert 0.5 * cut < base < cut
    points = seven_points(outline(cavity & seen, wall & seen))
    assert np.abs(points[[0, 6], 1] - BASE).max() < 3


def test_a_mask_that_the_image_cuts_off_is_sampled_by_angle() -> None:
    cavity, wall = _heart(shift=64.0)
    assert cavity[:, -1].any()
    points = seven_points(outline(cavity, wall))
    truth = seven_points(_truth(shift=64.0))
    assert np.isfinite(points).all()
    assert np.linalg.norm(points[:3] - truth[:3], axis=1).max() < 8.0
    assert points[:, 0].max() <= SIDE


def test_mirroring_swaps_the_sides() -> None:
    cavity, wall = _heart(tilt=0.2)
    points = seven_points(outline(cavity, wall))
    mirrored = seven_points(outline(cavity[:, ::-1], wall[:, ::-1]))
    assert np.abs(mirrored[::-1] - [SIDE - 1, 0] - points * [-1, 1]).max() < 2.0


def test_what_has_no_outline() -> None:
    cavity, wall = _heart()
    nothing = np.zeros_like(cavity)
    with pytest.raises(ValueError, match="has 0 pixels"):
        outline(nothing, wall)
    with pytest.raises(ValueError, match="no myocardium"):
        outline(cavity, nothing)
    with pytest.raises(ValueError, match="encloses"):
        outline(cavity, ~cavity)
    with pytest.raises(ValueError, match="is \\(160, 160\\), the myocardium's \\(80, 160\\)"):
        outline(cavity, wall[::2])
