"""Straight edges by vote, and the fit of a geometry to where echoes end along its edges.

Echoes seldom fill a sector up to its edges, but nothing lies beyond them. So votes are for the line that many outermost
echoes touch and few cross, and in the fit an echo outside weighs more than a dark place inside.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared_models.sector_echoes import Floats32
from shared_models.sector_geometry import EDGES, Fan, Floats, Mask, Parallelogram

Geometry = Fan | Parallelogram

LEANING = np.deg2rad(np.arange(-20.0, 71.0, 1.5))  # of a side from upright, outward
CROSSED = 2.0  # votes that an echo beyond a line costs
SHARE = 0.5  # of the level inside, from which on something is an echo
DARKEST, BRIGHTEST = 2.0, 30.0  # grey levels above the background between which that level lies
BETWEEN = 0.25  # pixels from the outermost echo to the edge
LEANS = 4.0  # pixels at the far end by which an upright fan may lean
INWARD = 0.12  # weight of a place where echoes end inside the edge, against one where they end outside


@dataclass(frozen=True)
class Side:
    """A straight side as the line x cos(a) + y sin(a) = d that has all echoes at larger values.

    Attributes:
        angle: a, in which the side leans outward on its way down.
        offset: d.
        support: share of the rows in which an outermost echo touches it.
    """

    angle: float
    offset: float
    support: float


def left_side(region: Mask) -> Side:
    """The left side of a region; of its mirror image, the right one.

    Each row votes with its first echo, unless the image's border cuts it off, weighted by the length of line in a row.
    """
    rows = np.flatnonzero(region.any(axis=1))
    first = region[rows].argmax(axis=1)
    cosine, sine = np.cos(LEANING)[:, None], np.sin(LEANING)[:, None]
    offset = first * cosine + rows * sine
    lowest = int(np.floor(offset.min())) - 2
    count = int(np.ceil(offset.max())) - lowest + 3
    place = np.rint(offset).astype(int) - lowest + np.arange(len(LEANING))[:, None] * count
    touches = (first > 0) / cosine
    shape = len(LEANING), count
    votes = np.bincount(place.ravel(), weights=touches.ravel(), minlength=shape[0] * count).reshape(shape)
    crossing = np.bincount(
        place.ravel(), weights=np.broadcast_to(1 / cosine, place.shape).ravel(), minlength=shape[0] * count
    )
    beyond = np.cumsum(crossing.reshape(shape), axis=1)
    near = votes.astype(np.float64)
    near[:, 1:] += votes[:, :-1]
    near[:, :-1] += votes[:, 1:]
    score = near
    score[:, 2:] -= CROSSED * beyond[:, :-2]
    line, column = np.unravel_index(int(score.argmax()), shape)
    return Side(
        float(LEANING[line]),
        float(column + lowest),
        float(near[line, column] * cosine[line, 0] / len(rows)),
    )


def outermost(values: Floats, step: float = 1.0, crossed: float = CROSSED) -> float:
    """The value that many of the outermost reach and few exceed: their envelope in bins of `step`."""
    low = float(values.min())
    count = np.bincount(np.rint((values - low) / step).astype(int)).astype(float)
    near = np.convolve(count, [1, 1, 1])[1:-1]
    beyond = count[::-1].cumsum()[::-1]
    score = near - crossed * np.append(beyond, [0, 0])[2:]
    return low + step * int(score.argmax())


@dataclass(frozen=True)
class Ends:
    """Where echoes end along an edge.

    Attributes:
        edge: one of `EDGES`.
        points: (N, 2) x and y.
    """

    edge: str
    points: Floats


@dataclass(frozen=True)
class Profiles:
    """Grey levels along the normals of an edge.

    Attributes:
        values: (2 reach + 1, N) above the background, the outermost first.
        points: (N, 2) where the normals cross the edge, x and y.
        normals: (N, 2) outward.
        asked: normals that there would be, did the image not cut the edge off.
    """

    values: Floats32
    points: Floats
    normals: Floats
    asked: int

    def levels(self) -> Floats32:
        """(N,) above what an echo begins on each normal: a share of the mean inside, of the normals beside it too."""
        from scipy.ndimage import uniform_filter1d

        inside = self.values[len(self.values) // 2 :].mean(axis=0)
        return np.clip(SHARE * uniform_filter1d(inside, 9, mode="nearest"), DARKEST, BRIGHTEST)


def profiles(
    image: NDArray[np.uint8] | Floats32,
    background: float,
    geometry: Geometry,
    name: str,
    reach: int,
    spacing: float,
) -> Profiles:
    """Along the normals of an edge that the image shows, not only at its very border."""
    height, width = image.shape
    asked = edge_samples(geometry, name, spacing)
    points, normals = geometry.edge(name, asked)
    shown = ((points > 1.0) & (points < [width - 2.0, height - 2.0])).all(axis=1)
    points, normals = points[shown], normals[shown]
    steps = np.arange(reach, -reach - 1, -1, dtype=np.float64)
    x, y = np.moveaxis(np.rint(points + steps[:, None, None] * normals).astype(int), -1, 0)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    values = image[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] - np.float32(background)
    return Profiles(np.where(inside, values, np.float32(0)), points, normals, asked)


def echo_ends(
    image: NDArray[np.uint8] | Floats32, background: float, geometry: Geometry, reach: int, spacing: float
) -> list[Ends]:
    """The outermost echo within `reach` pixels on either side of an edge, along normals `spacing` pixels apart.

    What ends at the image's border says nothing, for it may go on beyond.
    """
    return [_ends_of(image, background, geometry, name, reach, spacing) for name in EDGES]


def _ends_of(
    image: NDArray[np.uint8] | Floats32,
    background: float,
    geometry: Geometry,
    name: str,
    reach: int,
    spacing: float,
) -> Ends:
    along = profiles(image, background, geometry, name, reach, spacing)
    if not along.points.size:
        return Ends(name, along.points)
    seen = thick(along.values > along.levels(), max(2, reach // 2))
    some = seen.any(axis=0)
    step = reach - seen[:, some].argmax(axis=0) + BETWEEN
    places = along.points[some] + step[:, None] * along.normals[some]
    height, width = image.shape
    within = ((places > 1.5) & (places < [width - 2.5, height - 2.5])).all(axis=1)
    return Ends(name, places[within])


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


def edge_samples(geometry: Geometry, name: str, spacing: float) -> int:
    """How many places of an edge lie `spacing` pixels apart, 8 to 200."""
    points, _ = geometry.edge(name, 16)
    length = float(np.hypot(*np.diff(points, axis=0).T).sum()) * 16 / 15
    return int(np.clip(length / spacing, 8, 200))


def fitted(geometry: Geometry, ends: list[Ends], cuts: tuple[float, ...], upright: float) -> Geometry:
    """The geometry by weighted least squares, one Gauss-Newton step for each cut.

    Args:
        geometry: where to begin.
        ends: of its edges.
        cuts: pixels from an edge beyond which an end has no weight (Tukey's biweight), narrower from step to step.
        upright: weight of the wish that a fan is upright and a parallelogram straight.
    """
    for cut in cuts:
        rows, aims = [], []
        for end in ends:
            if not len(end.points):
                continue
            away = geometry.distances(end.points[:, 0], end.points[:, 1])[EDGES.index(end.edge)]
            root = np.sqrt(np.where(away > 0, 1.0, INWARD)) * np.clip(1 - (away / cut) ** 2, 0, None)
            rows.append(gradients(geometry, end) * root[:, None])
            aims.append(-away * root)
        scale = _scales(geometry)
        rows.append(np.diag(0.3 / scale))
        aims.append(np.zeros(len(scale)))
        wish, value = _wish(geometry)
        trust = upright / (1 + (value / LEANS) ** 2)
        rows.append(wish[None] * trust)
        aims.append(np.array([-value * trust]))
        change, *_ = np.linalg.lstsq(np.concatenate(rows), np.concatenate(aims), rcond=None)
        geometry = _changed(geometry, change)
    return geometry


def gradients(geometry: Geometry, end: Ends) -> Floats:
    """(N, parameters) how the distances of `end` from its edge change with the geometry's parameters."""
    x, y = end.points.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    if isinstance(geometry, Parallelogram):
        tilt = 1.0 / np.hypot(1.0, geometry.slope)
        table = {
            "left": (zero, zero, one * tilt, zero, y * tilt),
            "right": (zero, zero, zero, -one * tilt, -y * tilt),
            "near": (one, zero, zero, zero, zero),
            "far": (zero, -one, zero, zero, zero),
        }
        return np.stack(table[end.edge], axis=1)
    dx, dy = x - geometry.x, y - geometry.y
    if end.edge in ("left", "right"):
        angle = geometry.left if end.edge == "left" else geometry.right
        sine, cosine, along = np.sin(angle), np.cos(angle), dx * np.sin(angle) + dy * np.cos(angle)
        if end.edge == "left":
            return np.stack([-sine * one, cosine * one, zero, zero, along, zero], axis=1)
        return np.stack([sine * one, -cosine * one, zero, zero, zero, -along], axis=1)
    radius = np.maximum(np.hypot(dx, dy), 1e-6)
    if end.edge == "near":
        return np.stack([dy / radius, dx / radius, one, zero, zero, zero], axis=1)
    return np.stack([-dy / radius, -dx / radius, zero, -one, zero, zero], axis=1)


def _scales(geometry: Geometry) -> NDArray[np.float64]:
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


def _changed(geometry: Geometry, change: Floats) -> Geometry:
    names = list(type(geometry).__dataclass_fields__)
    values = np.array(astuple(geometry)) + change
    return replace(geometry, **dict(zip(names, values.tolist(), strict=True)))
