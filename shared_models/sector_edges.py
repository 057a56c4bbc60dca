"""Straight edges by vote, and the fit of a geometry to where echoes end along its edges.

Echoes seldom fill a sector up to its edges, but nothing lies beyond them. So votes are for the line that many outermost
echoes touch and few cross, and in the fit an echo outside weighs more than a dark place inside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared_models.sector_echoes import Floats32
from shared_models.sector_geometry import EDGES, Fan, Floats, Mask, Parallelogram

Geometry = Fan | Parallelogram
Image = NDArray[np.uint8] | Floats32

LEANING = np.deg2rad(np.arange(-20.0, 71.0, 1.5))  # of a side from upright, outward
SAME = np.deg2rad(4.0)  # by which two sides may lean differently and still be alike
EXCEEDED = 2.0  # votes that an echo beyond an arc costs
CROSSED = 1.0  # votes that an echo beyond a line costs
SHARE = 0.6  # of the level inside, from which on something is an echo
DARKEST, BRIGHTEST = 2.0, 30.0  # grey levels above the background between which that level lies
BETWEEN = 0.1  # pixels from the outermost echo to the edge
NORMALS = 8, 200  # at least and at most along an edge
STIFF = 0.3  # weight of staying where the geometry is
LEANS = 4.0  # pixels at the far end by which an upright fan may lean
INWARD = 0.12  # weight of a place where echoes end inside the edge, against one where they end outside


@dataclass(frozen=True)
class Side:
    """A straight side as the line x cos(a) + y sin(a) = d that has the echoes at larger values.

    Attributes:
        angle: a, in which the side leans outward on its way down.
        offset: d.
    """

    angle: float
    offset: float


def sides(region: Mask) -> list[tuple[Side, Side]]:
    """Left and right sides of a region (the right one as the left one of its mirror image), likeliest first.

    First those that lean alike, as nearly all do, by most votes together; then each by its own votes, where that is
    another pair.
    """
    (left, left_votes), (right, right_votes) = _votes(region), _votes(region[:, ::-1])
    alike = int((left_votes + right_votes).argmax())
    each = int(left_votes.argmax()), int(right_votes.argmax())
    pairs = [(alike, alike)]
    if np.abs(LEANING[list(each)] - LEANING[alike]).max() > SAME:
        pairs.append(each)
    return [
        (Side(float(LEANING[one]), float(left[one])), Side(float(LEANING[two]), float(right[two])))
        for one, two in pairs
    ]


def _votes(region: Mask) -> tuple[Floats, Floats]:
    """Offset and votes of the best left side at each of the angles `LEANING`.

    Each row votes with its first echo, unless the image's border cuts it off, by the length of line in it; echoes
    beyond a line count against it.
    """
    rows = np.flatnonzero(region.any(axis=1))
    first = region[rows].argmax(axis=1)
    cosine, sine = np.cos(LEANING)[:, None], np.sin(LEANING)[:, None]
    offset = first * cosine + rows * sine
    lowest = int(np.floor(offset.min())) - 2
    count = int(np.ceil(offset.max())) - lowest + 3
    number = np.arange(len(LEANING))
    place = (np.rint(offset).astype(np.intp) - lowest + number[:, None] * count).ravel()
    length = np.broadcast_to(1 / cosine, offset.shape)
    touching, there = (
        np.bincount(place, weights=weights.ravel(), minlength=len(LEANING) * count).reshape(-1, count)
        for weights in ((first > 0) * length, length)
    )
    votes = touching.astype(np.float64)
    votes[:, 1:] += touching[:, :-1]
    votes[:, :-1] += touching[:, 1:]
    votes[:, 2:] -= CROSSED * np.cumsum(there, axis=1)[:, :-2]
    best = votes.argmax(axis=1)
    return (best + lowest).astype(np.float64), votes[number, best]


def outermost(values: Floats) -> float:
    """The value, to a whole step from the least, that many of the outermost reach and few exceed."""
    low = float(values.min())
    count = np.bincount(np.rint(values - low).astype(np.intp)).astype(np.float64)
    near = np.convolve(count, [1, 1, 1])[1:-1]
    beyond = count[::-1].cumsum()[::-1]
    score = near - EXCEEDED * np.append(beyond, [0, 0])[2:]
    return low + int(score.argmax())


@dataclass(frozen=True)
class Profiles:
    """Grey levels along the normals of the four edges.

    Attributes:
        values: (2 reach + 1, N) above the background, the outermost first.
        points: (N, 2) where the normals cross the edge, x and y.
        normals: (N, 2) outward.
        edges: (N,) numbers in `EDGES`, in order.
        asked: normals that there would be, did the image not cut edges off.
    """

    values: Floats32
    points: Floats
    normals: Floats
    edges: NDArray[np.intp]
    asked: int

    def bright(self) -> Mask:
        """(2 reach + 1, N) where there is an echo: above a share of the mean inside, of the normals beside it too."""
        from scipy.ndimage import uniform_filter1d

        inside = self.values[len(self.values) // 2 :].mean(axis=0)
        return self.values > np.clip(SHARE * uniform_filter1d(inside, 9, mode="nearest"), DARKEST, BRIGHTEST)


@dataclass(frozen=True)
class Ends:
    """Where echoes end along the edges.

    Attributes:
        points: (N, 2) x and y.
        edges: (N,) numbers in `EDGES`.
    """

    points: Floats
    edges: NDArray[np.intp]

    @cached_property
    def flags(self) -> Floats:
        """(4, N) for each of `EDGES`, 1 at its ends and 0 elsewhere."""
        return (self.edges == np.arange(len(EDGES))[:, None]).astype(np.float64)


def profiles(image: Image, background: float, geometry: Geometry, reach: int, spacing: float) -> Profiles:
    """Along normals `spacing` pixels apart, where the image shows an edge, and not only at its very border."""
    height, width = image.shape
    counts = [int(np.clip(geometry.length(name) / spacing, *NORMALS)) for name in EDGES]
    along = [geometry.edge(name, count) for name, count in zip(EDGES, counts, strict=True)]
    points, normals = (np.concatenate(parts) for parts in zip(*along, strict=True))
    shown = _within(points, width, height, 1.0)
    points, normals = points[shown], normals[shown]
    steps = np.arange(reach, -reach - 1, -1, dtype=np.float64)[:, None]
    x = np.rint(points[:, 0] + steps * normals[:, 0]).astype(np.intp)
    y = np.rint(points[:, 1] + steps * normals[:, 1]).astype(np.intp)
    edges = np.repeat(np.arange(len(EDGES)), counts)[shown]
    return Profiles(_values_at(image, background, x, y), points, normals, edges, sum(counts))


def _within(points: Floats, width: int, height: int, border: float) -> Mask:
    """(N,) which points lie further than a border from the outermost pixels."""
    x, y = points[:, 0], points[:, 1]
    return (x > border) & (x < width - 1 - border) & (y > border) & (y < height - 1 - border)


def _values_at(image: Image, background: float, x: NDArray[np.intp], y: NDArray[np.intp]) -> Floats32:
    """Grey levels above the background at pixels, some of which the image may not have: 0 there."""
    height, width = image.shape
    place = np.clip(y, 0, height - 1) * width + np.clip(x, 0, width - 1)
    values = image.take(place) - np.float32(background)
    if x.size and (x.min() < 0 or y.min() < 0 or x.max() >= width or y.max() >= height):
        values[(x < 0) | (x >= width) | (y < 0) | (y >= height)] = 0
    return values


def echo_ends(image: Image, background: float, geometry: Geometry, reach: int, spacing: float) -> Ends:
    """The outermost echo within `reach` pixels on either side of the edges, along normals `spacing` pixels apart.

    What ends at the image's border says nothing, for it may go on beyond.
    """
    along = profiles(image, background, geometry, reach, spacing)
    seen = thick(along.bright(), max(2, reach // 2))
    step = reach - seen.argmax(axis=0) + BETWEEN
    places = along.points + step[:, None] * along.normals
    height, width = image.shape
    usable = seen.any(axis=0) & _within(places, width, height, 1.5)
    return Ends(places[usable], along.edges[usable])


def thick(seen: Mask, deep: int) -> Mask:
    """Where an echo goes on inward: at more than half of its place and the next; a trace does not.

    Args:
        seen: (steps, N) along normals, the outermost first.
        deep: places that are looked at.
    """
    padded = np.zeros((len(seen) + deep + 1, seen.shape[1]), dtype=np.int16)
    padded[1 : len(seen) + 1] = seen
    total = padded.cumsum(axis=0, dtype=np.int16)
    return seen & (2 * (total[deep:-1] - total[: -deep - 1]) > deep)


def fitted(geometry: Geometry, ends: Ends, cuts: tuple[float, ...], upright: float) -> Geometry:
    """The geometry by weighted least squares, one Gauss-Newton step for each cut.

    Args:
        geometry: where to begin.
        ends: of its edges.
        cuts: pixels from an edge beyond which an end has no weight (Tukey's biweight), narrower from step to step.
        upright: weight of the wish that a fan is upright and a parallelogram straight.
    """
    x, y = ends.points.T
    for cut in cuts:
        away = np.choose(ends.edges, geometry.distances(x, y))
        weight = np.where(away > 0, 1.0, INWARD) * np.clip(1 - (away / cut) ** 2, 0, None) ** 2
        slopes = gradients(geometry, ends)
        weighted = slopes * weight[:, None]
        wish, lean = _wish(geometry)
        trust = (upright / (1 + (lean / LEANS) ** 2)) ** 2
        matrix = weighted.T @ slopes + np.diag((STIFF / _scales(geometry)) ** 2) + trust * np.outer(wish, wish)
        change = np.linalg.solve(matrix, -(weighted.T @ away) - trust * lean * wish)
        geometry = type(geometry)(*(np.array(_values(geometry)) + change).tolist())
    return geometry


def gradients(geometry: Geometry, ends: Ends) -> Floats:
    """(N, parameters) how the distances of ends from their edges change with the geometry's parameters."""
    x, y = ends.points.T
    left, right, near, far = ends.flags
    if isinstance(geometry, Parallelogram):
        upright = 1.0 / np.hypot(1.0, geometry.slope)
        across = (left - right) / np.hypot(1.0, geometry.slope)
        return np.array([near, -far, left * upright, right * -upright, across * y]).T
    dx, dy = x - geometry.x, y - geometry.y
    on_left = left > 0
    sine = np.where(on_left, math.sin(geometry.left), math.sin(geometry.right))
    cosine = np.where(on_left, math.cos(geometry.left), math.cos(geometry.right))
    radius = np.maximum(np.hypot(dx, dy), 1e-6)
    side, arc = right - left, near - far
    along = dx * sine + dy * cosine
    y_slope, x_slope = side * sine + arc * dy / radius, arc * dx / radius - side * cosine
    return np.array([y_slope, x_slope, near, -far, left * along, right * -along]).T


def _values(geometry: Geometry) -> tuple[float, ...]:
    if isinstance(geometry, Parallelogram):
        return geometry.top, geometry.bottom, geometry.left, geometry.right, geometry.slope
    return geometry.y, geometry.x, geometry.near, geometry.far, geometry.left, geometry.right


def _scales(geometry: Geometry) -> Floats:
    """By how much each parameter may change lightly."""
    if isinstance(geometry, Parallelogram):
        return np.array([2.0, 2.0, 2.0, 2.0, 0.02])
    return np.array([2.0, 2.0, 2.0, 2.0, 2.0 / geometry.far, 2.0 / geometry.far])


def _wish(geometry: Geometry) -> tuple[Floats, float]:
    """Gradient and value of what should be nought: the lean of the axis, in pixels at the far end."""
    if isinstance(geometry, Parallelogram):
        height = geometry.bottom - geometry.top
        return np.array([0.0, 0.0, 0.0, 0.0, height]), geometry.slope * height
    far = geometry.far
    return np.array([0.0, 0.0, 0.0, 0.0, far, far]), (geometry.left + geometry.right) * far
