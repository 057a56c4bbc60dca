"""What a reader would draw into a frame: the ventricle's outline, its long axis and chords, and walls across it.

Points are (x, y) in pixels, x to the right and y down; the middle of the first pixel is (0, 0).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom.labels import LV, MYOCARDIUM, OUTSIDE

Points = NDArray[np.float64]
Labels = NDArray[np.uint8]

CHORDS = 20
MARGIN = 0.25  # of the distance between chords, from the first and the last to the ends of the ventricle
STEP = 0.1  # pixels, along a line that is searched for walls


class Segment(NamedTuple):
    """A line from one point to another."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def length(self) -> float:
        """In pixels."""
        return float(np.hypot(self.x2 - self.x1, self.y2 - self.y1))


def outline(mask: NDArray[np.bool_]) -> Points:
    """The border of the largest part of a mask that is not empty, (N, 2), closed without repeating the first point."""
    from skimage.measure import find_contours

    borders = find_contours(np.pad(mask, 1).astype(np.float64), 0.5)
    largest = max(borders, key=area)
    return largest[:-1, ::-1] - 1.0


def area(polygon: Points) -> float:
    """What a closed polygon encloses (shoelace formula)."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def thinned(polygon: Points, count: int) -> Points:
    """So many points at equal distances along a closed polygon."""
    closed = np.vstack([polygon, polygon[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    wanted = np.linspace(0.0, along[-1], count, endpoint=False)
    return np.stack([np.interp(wanted, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def long_axis(contour: Points) -> Segment:
    """From the apex to the middle of the base, of the seven points of a contour."""
    apex, base = contour[3], (contour[0] + contour[-1]) / 2
    return Segment(*map(float, (*apex, *base)))


def chords(mask: NDArray[np.bool_], axis: Segment, count: int = CHORDS) -> list[Segment]:
    """Lines across the ventricle square to its axis, at equal distances, from left to right, the first at the apex."""
    border = outline(mask)
    start, along = _frame(axis)
    across = _square(along) * (-1 if along[1] > 0 else 1)
    depth, side = (border - start) @ along, (border - start) @ across
    step = (depth.max() - depth.min()) / (count - 1 + 2 * MARGIN)
    levels = depth.min() + step * (MARGIN + np.arange(count))
    found = []
    for level in levels:
        low, high = _crossings(depth, side, level)
        ends = [start + level * along + offset * across for offset in (low, high)]
        found.append(Segment(*map(float, (*ends[0], *ends[1]))))
    return found


def walls(labels: Labels, axis: Segment, fraction: float) -> dict[str, Segment]:
    """Upper wall, cavity and lower wall on the line square to the axis at a fraction of it from the base.

    What the sector cuts off is left out.
    """
    start, along = _frame(axis)
    middle = start + (1 - fraction) * axis.length * along
    across = _square(along) * np.sign(_square(along)[1] or 1.0)  # downward in the image
    offsets = np.arange(-max(labels.shape), max(labels.shape), STEP)
    values = _nearest(labels, middle + offsets[:, None] * across)
    first, last = _run(values == LV, int(np.searchsorted(offsets, 0.0)))
    runs = {
        "upper": _run(values == MYOCARDIUM, first - 1),
        "cavity": (first, last),
        "lower": _run(values == MYOCARDIUM, last),
    }
    found = {}
    for name, (begin, end) in runs.items():
        if begin < end and OUTSIDE not in (values[begin - 1], values[end]):
            ends = [middle + (offsets[0] + STEP * (place - 0.5)) * across for place in (begin, end)]
            found[name] = Segment(*map(float, (*ends[0], *ends[1])))
    return found


def _frame(axis: Segment) -> tuple[Points, Points]:
    """Where the axis begins, and its unit vector."""
    start = np.array([axis.x1, axis.y1])
    along = np.array([axis.x2 - axis.x1, axis.y2 - axis.y1])
    return start, along / np.hypot(*along)


def _square(along: Points) -> Points:
    return np.array([-along[1], along[0]])


def _crossings(depth: Points, side: Points, level: float) -> tuple[float, float]:
    """Outermost sides at which a closed line crosses a level."""
    after, beside = np.roll(depth, -1), np.roll(side, -1)
    crossing = (depth <= level) != (after <= level)
    share = (level - depth[crossing]) / (after[crossing] - depth[crossing])
    where = side[crossing] + share * (beside[crossing] - side[crossing])
    return float(where.min()), float(where.max())


def _nearest(labels: Labels, points: Points) -> Labels:
    """Values of the pixels in which points lie; 0 outside."""
    column, row = np.rint(points).astype(int).T
    height, width = labels.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return np.where(inside, labels[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)], 0)


def _run(hit: NDArray[np.bool_], place: int) -> tuple[int, int]:
    """First and one past the last of the unbroken hits around a place, which does not lie at either end."""
    if not hit[place]:
        return place, place
    misses = np.flatnonzero(~hit)
    return int(misses[misses < place][-1]) + 1, int(misses[misses > place][0])
