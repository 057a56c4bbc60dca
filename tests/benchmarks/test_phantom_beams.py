"""Where beams meet follows from the sector's edges, and unrolling puts depth down and angle across."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.phantom_beams import fan_of, unrolled
from benchmarks.phantom_sector import Frame


def sector_of(left: float, right: float, *, near: float = 0.0, far: float = 300.0) -> tuple[np.ndarray, ...]:
    """A sector of known edges (degrees), with each pixel's distance and angle."""
    y, x = np.mgrid[:320, :500] + 0.5
    distance, angle = np.hypot(y - 10, x - 250), np.rad2deg(np.arctan2(x - 250, y - 10))
    return (distance < far) & (distance > near) & (angle > left) & (angle < right), distance, angle


@pytest.mark.parametrize(("left", "right", "near"), [(-45, 45, 0), (-30, 42, 0), (-20, 25, 80)])
def test_the_fan_is_that_of_the_edges(left: float, right: float, near: float) -> None:
    fan = fan_of(sector_of(left, right, near=near)[0])
    assert np.allclose(fan.apex, (10, 250), atol=4)
    assert np.allclose(np.rad2deg([fan.left, fan.right]), (left, right), atol=1.5)
    assert np.allclose((fan.near, fan.far), (near, 300), atol=14)


def test_what_does_not_open_is_refused() -> None:
    with pytest.raises(ValueError, match="do not open"):
        fan_of(np.ones((100, 80), dtype=bool))


def test_unrolled_rows_are_depths_and_columns_angles() -> None:
    sector, distance, angle = sector_of(-40, 40)
    nothing = np.zeros_like(sector)
    fan = fan_of(sector)
    for values, axis in ((distance / 2, 1), (angle + 100, 0)):
        frame = Frame(np.where(sector, values, 0).astype(np.uint8), sector, nothing)
        picture = unrolled(frame, fan, 200, 90)[20:180, 8:-8]
        assert np.nanmax(np.nanstd(picture, axis=axis)) < 2
        assert np.nanmax(np.nanstd(picture, axis=1 - axis)) > 15


def test_colour_and_what_lies_outside_are_holes() -> None:
    sector, _, _ = sector_of(-40, 40)
    coloured = np.zeros_like(sector)
    coloured[150:180, 230:270] = True
    picture = unrolled(Frame(np.full(sector.shape, 50, np.uint8), sector, coloured), fan_of(sector), 100, 60)
    assert np.isnan(picture[50:55, 28:32]).all()
    assert np.isfinite(picture[80, 10:50]).all()
