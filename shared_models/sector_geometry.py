"""The region an ultrasound image scans: a fan (sector of a ring) or a parallelogram, cut by the image's border.

Coordinates are pixels with centres at whole numbers, x to the right, y down. Angles are radians from straight down,
growing to the right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["phased", "convex", "linear"]
Floats = NDArray[np.float64]
AnyFloats = NDArray[np.floating]
Mask = NDArray[np.bool_]

EDGES = ("left", "right", "near", "far")
POINTED = 0.14  # near over far radius, below which a fan counts as pointed
ON_EDGE = 1e-9  # pixels by which a point on an edge may miss it by rounding


@dataclass(frozen=True)
class Fan:
    """A sector of a ring.

    Attributes:
        y, x: where beams would meet; it may lie outside the image.
        near, far: radii.
        left, right: angles of the two sides, left < right.
    """

    y: float
    x: float
    near: float
    far: float
    left: float
    right: float

    def distances(self, x: AnyFloats, y: AnyFloats) -> tuple[AnyFloats, AnyFloats, AnyFloats, AnyFloats]:
        """How far points lie outside of each of `EDGES`, negative inside."""
        dx, dy = x - self.x, y - self.y
        radius = np.sqrt(dx * dx + dy * dy)  # a third of the time of hypot
        left = dy * math.sin(self.left) - dx * math.cos(self.left)
        right = dx * math.cos(self.right) - dy * math.sin(self.right)
        return left, right, self.near - radius, radius - self.far

    def edge(self, name: str, count: int) -> tuple[Floats, Floats]:
        """(count, 2) points of an edge, x and y, and unit vectors that point outward there."""
        middle = (np.arange(count) + 0.5) / count
        if name in ("left", "right"):
            angle, sign = (self.left, -1.0) if name == "left" else (self.right, 1.0)
            radius = self.near + middle * (self.far - self.near)
            sine, cosine = np.sin(angle), np.cos(angle)
            return self._points(radius * sine, radius * cosine), _pairs(count, sign * cosine, -sign * sine)
        radius_of_arc, sign = (self.near, -1.0) if name == "near" else (self.far, 1.0)
        angles = self.left + middle * (self.right - self.left)
        sines, cosines = np.sin(angles), np.cos(angles)
        points = self._points(radius_of_arc * sines, radius_of_arc * cosines)
        return points, _pairs(count, sign * sines, sign * cosines)

    def length(self, name: str) -> float:
        """Pixels of an edge."""
        if name in ("left", "right"):
            return self.far - self.near
        return (self.near if name == "near" else self.far) * (self.right - self.left)

    def corners(self) -> Floats:
        """(N, 2) the outline as a polygon, x and y."""
        turn = np.linspace(self.left, self.right, 49)
        far = self._at(np.full(49, self.far), turn)
        near = self._at(np.full(49, self.near), turn[::-1])
        return np.concatenate([far, near])

    def moved(self, factor: float, x: float, y: float) -> Fan:
        """Everything times a factor about the middle of the first pixel's outer corner, then shifted."""
        return Fan(
            y=(self.y + 0.5) * factor - 0.5 + y,
            x=(self.x + 0.5) * factor - 0.5 + x,
            near=self.near * factor,
            far=self.far * factor,
            left=self.left,
            right=self.right,
        )

    def _at(self, radius: Floats, angle: Floats) -> Floats:
        return self._points(radius * np.sin(angle), radius * np.cos(angle))

    def _points(self, across: Floats, down: Floats) -> Floats:
        return _pairs(len(across), self.x + across, self.y + down)


def _pairs(count: int, x: Floats | float, y: Floats | float) -> Floats:
    """(count, 2)."""
    pairs = np.empty((count, 2))
    pairs[:, 0], pairs[:, 1] = x, y
    return pairs


@dataclass(frozen=True)
class Parallelogram:
    """Beams side by side: level at the top and bottom, its sides upright or leaning alike.

    Attributes:
        top, bottom: rows.
        left, right: columns of the sides in the row of y = 0.
        slope: columns by which the sides go to the right in each row.
    """

    top: float
    bottom: float
    left: float
    right: float
    slope: float = 0.0

    def distances(self, x: AnyFloats, y: AnyFloats) -> tuple[AnyFloats, AnyFloats, AnyFloats, AnyFloats]:
        """How far points lie outside of each of `EDGES` (near is the top), negative inside."""
        across, upright = x - self.slope * y, 1.0 / math.hypot(1.0, self.slope)
        left, right = (self.left - across) * upright, (across - self.right) * upright
        return left, right, self.top - y, y - self.bottom

    def edge(self, name: str, count: int) -> tuple[Floats, Floats]:
        """(count, 2) points of an edge, x and y, and unit vectors that point outward there."""
        middle = (np.arange(count) + 0.5) / count
        if name in ("left", "right"):
            side, sign = (self.left, -1.0) if name == "left" else (self.right, 1.0)
            y = self.top + middle * (self.bottom - self.top)
            outward = sign * np.array([1.0, -self.slope]) / np.hypot(1.0, self.slope)
            return np.stack([side + self.slope * y, y], axis=1), np.tile(outward, (count, 1))
        row, sign = (self.top, -1.0) if name == "near" else (self.bottom, 1.0)
        x = self.left + middle * (self.right - self.left) + self.slope * row
        return np.stack([x, np.full(count, row)], axis=1), np.tile([0.0, sign], (count, 1))

    def length(self, name: str) -> float:
        """Pixels of an edge."""
        if name in ("left", "right"):
            return (self.bottom - self.top) * float(np.hypot(1.0, self.slope))
        return self.right - self.left

    def corners(self) -> Floats:
        """(4, 2) the outline as a polygon, x and y."""
        sides = ((self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom))
        return np.array([[column + self.slope * row, row] for column, row in sides])

    def moved(self, factor: float, x: float, y: float) -> Parallelogram:
        """Everything times a factor about the outer corner of the first pixel, then shifted."""
        top, bottom = ((row + 0.5) * factor - 0.5 + y for row in (self.top, self.bottom))
        lean = self.slope * (0.5 - y)  # sides are told in the row of y = 0, which moves too
        left, right = (
            (column + 0.5 - 0.5 * self.slope) * factor - 0.5 + x + lean for column in (self.left, self.right)
        )
        return Parallelogram(top, bottom, left, right, self.slope)


@dataclass(frozen=True)
class Sector:
    """What an image scans.

    Attributes:
        kind: phased (a fan with a point or nearly one), convex (a fan whose near end is an arc), linear.
        geometry: a fan for the first two, a parallelogram for the last.
        shape: (H, W) of the image; it may cut the geometry off.
        quality: 0 to 1, how well the fit holds.
    """

    kind: Kind
    geometry: Fan | Parallelogram
    shape: tuple[int, int]
    quality: float

    def mask(self) -> Mask:
        """(H, W) whether a pixel's centre lies inside; drawn once, and not to be written to."""
        return self._mask

    @cached_property
    def _mask(self) -> Mask:
        mask = np.zeros(self.shape, dtype=bool)
        x0, y0, x1, y1 = self._bounds()
        if x0 <= x1 and y0 <= y1:
            y, x = np.arange(y0, y1 + 1, dtype=np.float64)[:, None], np.arange(x0, x1 + 1, dtype=np.float64)[None]
            inside = [distance <= ON_EDGE for distance in self.geometry.distances(x, y)]
            mask[y0 : y1 + 1, x0 : x1 + 1] = np.logical_and.reduce(np.broadcast_arrays(*inside))
        mask.flags.writeable = False
        return mask

    def box(self) -> tuple[int, int, int, int]:
        """First column and row, last column and row (both inside) of what the image shows of it.

        Raises:
            ValueError: the image shows nothing of it.
        """
        mask = self.mask()
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            raise ValueError("the image shows nothing of the sector")
        return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])

    def outline(self) -> Floats:
        """(N, 2) the corners of what the image shows of it, x and y in turn; none where it shows nothing."""
        height, width = self.shape
        polygon = self.geometry.corners()
        for axis, limit, sign in ((0, -0.5, 1.0), (1, -0.5, 1.0), (0, width - 0.5, -1.0), (1, height - 0.5, -1.0)):
            polygon = _clipped(polygon, axis, limit, sign)
        return polygon

    def scaled(self, factor: float) -> Sector:
        """The sector of the image enlarged by a factor."""
        shape = max(1, round(self.shape[0] * factor)), max(1, round(self.shape[1] * factor))
        return replace(self, geometry=self.geometry.moved(factor, 0.0, 0.0), shape=shape)

    def cropped(self, box: tuple[int, int, int, int]) -> Sector:
        """The sector of a part of the image: first column and row, last column and row, both inside."""
        x0, y0, x1, y1 = box
        return replace(self, geometry=self.geometry.moved(1.0, -x0, -y0), shape=(y1 - y0 + 1, x1 - x0 + 1))

    def to_json(self) -> dict[str, float | str]:
        """Plain values from which `from_json` makes the same sector."""
        height, width = self.shape
        values = {"kind": self.kind, "height": height, "width": width, "quality": self.quality}
        return {**values, **asdict(self.geometry)}

    @staticmethod
    def from_json(values: Mapping[str, float | str]) -> Sector:
        """The sector of plain values.

        Raises:
            ValueError: a value is missing, unknown or no number.
        """
        rest = dict(values)
        try:
            kind, shape = rest.pop("kind"), (int(rest.pop("height")), int(rest.pop("width")))
            quality = float(rest.pop("quality"))
            numbers = {name: float(value) for name, value in rest.items()}
            geometry = Parallelogram(**numbers) if kind == "linear" else Fan(**numbers)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"these values are no sector: {error}") from error
        if kind not in ("phased", "convex", "linear"):
            raise ValueError(f"'{kind}' is no kind of sector: phased, convex or linear")
        return Sector(kind, geometry, shape, quality)  # type: ignore[arg-type]

    def _bounds(self) -> tuple[int, int, int, int]:
        """A box around the geometry, within the image; empty where they do not meet."""
        height, width = self.shape
        low, high = self.geometry.corners().min(axis=0), self.geometry.corners().max(axis=0)
        spare = self.geometry.far * 0.01 if isinstance(self.geometry, Fan) else 0.0
        x0, y0 = np.floor(np.maximum(low - spare, 0)).astype(int)
        x1, y1 = np.ceil(np.minimum(high + spare, [width - 1, height - 1])).astype(int)
        return int(x0), int(y0), int(x1), int(y1)


def fan_kind(fan: Fan) -> Kind:
    """Phased for a fan with a point or nearly one, else convex."""
    return "phased" if fan.near < POINTED * fan.far else "convex"


def _clipped(polygon: Floats, axis: int, limit: float, sign: float) -> Floats:
    """The part of a polygon on one side of a line along an axis (Sutherland and Hodgman 1974)."""
    after = np.roll(polygon, -1, axis=0)
    here, there = sign * (polygon[:, axis] - limit), sign * (after[:, axis] - limit)
    crosses = (here >= 0) != (there >= 0)
    share = np.where(crosses, here / np.where(crosses, here - there, 1.0), 0.0)[:, None]
    pairs = np.stack([polygon, polygon + share * (after - polygon)], axis=1).reshape(-1, 2)
    return np.asarray(pairs[np.stack([here >= 0, crosses], axis=1).ravel()])
