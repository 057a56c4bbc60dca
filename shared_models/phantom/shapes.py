"""Bodies given by their signed distance in mm, negative inside: ellipsoids, tubes, and leaflets on a ring.

Distances to tubes and leaflets are exact, those to ellipsoids exact to first order. Points come as arrays x, y and z.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Scalar = np.floating
Vector = NDArray[np.float64]

FAR = np.float32(1e3)


@dataclass(frozen=True)
class Ellipsoid:
    """Axes along x, y, z, turned about z by `turn` radians."""

    centre: Vector
    radii: Vector
    turn: float = 0.0

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Signed, exact to first order."""
        dx, dy, dz = self._offset(x, y, z)
        a, b, c = (dtype_of(x)(radius) for radius in self.radii)
        level = np.sqrt((dx / a) ** 2 + (dy / b) ** 2 + (dz / c) ** 2)
        slope = np.sqrt((dx / a**2) ** 2 + (dy / b**2) ** 2 + (dz / c**2) ** 2)
        return np.where(slope > 1e-9, level * (level - 1) / np.maximum(slope, 1e-9), -min(a, b, c))

    def normal(self, x: Array, y: Array, z: Array) -> Array:
        """(N, 3) unit normals of the level surfaces."""
        dx, dy, dz = self._offset(x, y, z)
        a, b, c = self.radii
        gx, gy, gz = dx / a**2, dy / b**2, dz / c**2
        cosine, sine = np.cos(self.turn), np.sin(self.turn)
        return unit(np.stack([cosine * gx - sine * gy, sine * gx + cosine * gy, gz], axis=-1))

    def _offset(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        kind = dtype_of(x)
        dx, dy, dz = (value - kind(middle) for value, middle in zip((x, y, z), self.centre, strict=True))
        cosine, sine = kind(np.cos(self.turn)), kind(np.sin(self.turn))
        return cosine * dx + sine * dy, cosine * dy - sine * dx, dz


@dataclass(frozen=True)
class Tube:
    """A chain of round cones through `points` (K, 3) with `radii` (K,): vessels and papillary muscles.

    Each piece is what a ball sweeps whose radius grows evenly from one point to the next.
    """

    points: Vector
    radii: Vector

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Signed, exact outside."""
        nearest: Array = np.full_like(x, FAR)
        for start, end, near, far in self._pieces:
            nearest = np.minimum(nearest, self._to_piece(x, y, z, start, end, near, far)[1])
        return nearest

    def normal(self, x: Array, y: Array, z: Array) -> Array:
        """(N, 3) unit vectors away from the centre line."""
        best, away = np.full_like(x, FAR), np.zeros((*x.shape, 3), x.dtype)
        for start, end, near, far in self._pieces:
            share, level = self._to_piece(x, y, z, start, end, near, far)
            here = np.stack([x, y, z], axis=-1) - (start + share[..., None] * (end - start))
            nearer = level < best
            best, away = np.where(nearer, level, best), np.where(nearer[..., None], here, away)
        return unit(away)

    @property
    def _pieces(self) -> zip[tuple[Vector, Vector, float, float]]:
        return zip(self.points, self.points[1:], self.radii, self.radii[1:], strict=False)

    @staticmethod
    def _to_piece(
        x: Array, y: Array, z: Array, start: Vector, end: Vector, near: float, far: float
    ) -> tuple[Array, Array]:
        """How far along a piece, in 0..1, the ball lies whose surface is nearest, and the distance to that.

        To the ball at height t it is sqrt(off^2 + (t - h)^2) - near - k t: least at t = h + off k / sqrt(1 - k^2).
        """
        kind, length = dtype_of(x), float(np.linalg.norm(end - start))
        (sx, sy, sz), (ux, uy, uz) = (kind(value) for value in start), (kind(v) for v in (end - start) / length)
        dx, dy, dz = x - sx, y - sy, z - sz
        height, lean = dx * ux + dy * uy + dz * uz, (far - near) / length
        squared = np.maximum(dx * dx + dy * dy + dz * dz - height * height, 0)
        nearest = height + np.sqrt(squared) * kind(lean / np.sqrt(1 - lean * lean))
        place = np.clip(nearest, 0, kind(length))
        away = height - place
        return place / kind(length), np.sqrt(squared + away * away) - (kind(near) + kind(lean) * place)


@dataclass(frozen=True)
class Valve:
    """Leaflets hinged on a ring.

    Attributes:
        centre: of the ring.
        axis: unit vector, the way the blood flows.
        radius: of the ring.
        length: of the leaflets, at least the radius.
        cusps: how many clefts a closed valve shows; 0 for none.
        thickness: of a leaflet.
        open_angle: between ring and open leaflet, radians.
        slit: half the length of the line along which two leaflets meet; 0 where they meet in a point.
        slit_along: unit vector of that line, square to the axis.
    """

    centre: Vector
    axis: Vector
    radius: float
    length: float
    cusps: int
    thickness: float
    open_angle: float
    slit: float = 0.0
    slit_along: tuple[float, float, float] = (1.0, 0.0, 0.0)

    @property
    def reach(self) -> float:
        """Radius of a ball about the centre that holds the leaflets."""
        return float(np.hypot(self.radius + self.slit, self.length)) + self.thickness

    def distance(self, x: Array, y: Array, z: Array, opening: float) -> Array:
        """Signed distance to the leaflets, open from 0 to 1: each turns about its hinge."""
        kind = dtype_of(x)
        height, off = self.coordinates(x, y, z)
        shut = np.arccos(min(1.0, self.radius / self.length))
        angle = shut + opening * (self.open_angle - shut)
        inward, along = kind(-np.cos(angle)), kind(np.sin(angle))
        share = np.clip((off - kind(self.radius)) * inward + height * along, 0, kind(self.length))
        sheet = np.hypot(off - kind(self.radius) - share * inward, height - share * along)
        return sheet - kind(self.thickness / 2)

    def coordinates(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Height along the axis and distance from it, or from the slit."""
        kind = dtype_of(x)
        (cx, cy, cz), (ux, uy, uz) = (kind(v) for v in self.centre), (kind(v) for v in self.axis)
        dx, dy, dz = x - cx, y - cy, z - cz
        height = dx * ux + dy * uy + dz * uz
        squared = np.maximum(dx * dx + dy * dy + dz * dz - height * height, 0)
        if not self.slit:
            return height, np.sqrt(squared)
        vx, vy, vz = (kind(v) for v in self.slit_along)
        aside = np.abs(dx * vx + dy * vy + dz * vz)
        beyond = np.maximum(aside - kind(self.slit), 0)
        return height, np.sqrt(np.maximum(squared - aside * aside, 0) + beyond * beyond)

    def clefts(self, x: Array, y: Array, z: Array) -> Array:
        """Distance to the lines where closed cusps meet, as sheets along the axis."""
        kind = dtype_of(x)
        height, off = self.coordinates(x, y, z)
        first, second = self._frame
        p = [value - kind(middle) for value, middle in zip((x, y, z), self.centre, strict=True)]
        u = sum(kind(first[i]) * p[i] for i in range(3))
        v = sum(kind(second[i]) * p[i] for i in range(3))
        sector = kind(2 * np.pi / self.cusps)
        folded = np.abs(np.mod(np.arctan2(v, u), sector) - sector / 2)
        aside = off * np.sin(np.minimum(sector / 2 - folded, kind(np.pi / 2)))
        beyond = np.maximum(
            np.abs(height - kind(0.25 * self.radius)) - kind(0.25 * self.radius), off - kind(self.radius)
        )
        return np.maximum(aside, beyond) - kind(self.thickness / 2)

    @cached_property
    def _frame(self) -> tuple[Vector, Vector]:
        first = np.cross(self.axis, [0.3, 0.9, 0.2])
        first /= np.linalg.norm(first)
        return first, np.cross(self.axis, first)


def radial(angle: float) -> Vector:
    """The unit vector of an angle about the axis, in radians."""
    return np.array([np.cos(angle), np.sin(angle), 0.0])


def dtype_of(values: Array) -> type[np.floating]:
    """What constants must be turned into so that single precision stays single."""
    return values.dtype.type


def unit(vectors: Array) -> Array:
    """(N, 3) vectors of length one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
