"""A frame seen along its beams: where they meet, and the picture unrolled into depth and angle, by its edges alone.

Real images do not say where their beams lie. The sector's left and right edges do: they are straight, and beams meet
where they cross.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.phantom_sector import Frame, Mask

Array = NDArray[np.float64]

STRAIGHT = (0.08, 0.8)  # of the way down to a side's outermost point, between which the side is taken for straight
MIN_OPENING = np.deg2rad(15.0)


@dataclass(frozen=True)
class Fan:
    """Where beams lie, in pixels and radians of a frame.

    Attributes:
        apex: (row, column) where they meet; above the frame for a curved or a zoomed sector.
        left: angle of the left edge from straight down, negative to the left.
        right: angle of the right edge.
        near: distance from the apex to the sector's first row of pixels.
        far: distance from the apex to the sector's last pixel.
    """

    apex: tuple[float, float]
    left: float
    right: float
    near: float
    far: float


def fan_of(sector: Mask) -> Fan:
    """The fan of a sector's edges.

    Raises:
        ValueError: the sides do not open as a sector's do.
    """
    rows = np.flatnonzero(sector.any(axis=1))
    first = sector[rows].argmax(axis=1)
    last = sector.shape[1] - sector[rows, ::-1].argmax(axis=1)
    slope_left, at_left = _side(rows, first)
    slope_right, at_right = (-value for value in _side(rows, -last))
    if np.arctan(slope_right) - np.arctan(slope_left) < MIN_OPENING:
        raise ValueError("the sides of the sector do not open downwards")
    row = (at_left - at_right) / (slope_right - slope_left)
    apex = float(row), float(at_left + slope_left * row)
    y, x = np.nonzero(sector)
    distance = np.hypot(y - apex[0], x - apex[1])
    near, far = np.quantile(distance, [0.001, 0.999])
    return Fan(apex, float(np.arctan(slope_left)), float(np.arctan(slope_right)), float(near), float(far))


def _side(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and intercept of the left side, by the median of slopes (Theil-Sen)."""
    from scipy.stats import theilslopes

    width = int(columns.max() - columns.min())
    outermost = int(np.argmax(columns <= columns.min() + 0.03 * width))
    straight = slice(int(STRAIGHT[0] * outermost), max(int(STRAIGHT[1] * outermost), 3), max(1, outermost // 80))
    slope, intercept, *_ = theilslopes(columns[straight].astype(float), rows[straight].astype(float))
    return float(slope), float(intercept)


def unrolled(frame: Frame, fan: Fan, samples: int, beams: int) -> Array:
    """(samples, beams) grey levels from `near` to `far` and from edge to edge; NaN outside the sector."""
    from scipy import ndimage

    radius = np.linspace(fan.near, fan.far, samples)[:, None]
    angle = np.linspace(fan.left, fan.right, beams)[None, :]
    places = np.stack([fan.apex[0] + radius * np.cos(angle), fan.apex[1] + radius * np.sin(angle)])
    grey = ndimage.map_coordinates(frame.image.astype(np.float64), places, order=1, cval=0.0)
    inside = ndimage.map_coordinates((frame.sector & ~frame.coloured).astype(np.float64), places, order=0, cval=0.0)
    return np.where(inside > 0, grey, np.nan)
