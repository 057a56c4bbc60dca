"""How well a geometry holds against an image: 0 to 1, from what its edges and its inside show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_models.sector_echoes import Echoes
from shared_models.sector_edges import profiles
from shared_models.sector_geometry import EDGES, AnyFloats, Fan, Parallelogram

REACH = 5  # pixels on either side of an edge that are looked at
CELLS = 8, 6  # across and deep
OCCUPIED = 0.1  # share of a cell's pixels that has to show an echo
TOUCHED = 0.05  # share of a region that has to lie inside for the region to be one that has to be explained
POWERS = 0.6, 0.7, 0.3, 0.08, 0.06  # of the five shares, fitted to how sectors of the phantom agree with their truth
UNSEEN = 0.55  # quality of a sector of which no edge is seen
FLAT = 0.2  # height of a linear sector against its width, below which it is none
MET = 0.5  # share of the edges' places that echoes reach, from which on they are a sector's
ENOUGH = 4  # places of an edge that say something


def quality(echoes: Echoes, geometry: Fan | Parallelogram) -> float:
    """0 to 1: a product of powers of five shares, times how sure the edges are.

    Explained: how much of the echoes' regions lies inside. Occupied: how many cells across and along the beams show an
    echo. Clean: how much of the edges' surroundings is dark. Faced: how much of the near edge has echoes below it.
    Alike: how alike the sides lean. What is as flat as a header is no sector.

    Edges are sure where echoes reach them at `MET` of their places, and unsure as far as the image does not show them.
    """
    if isinstance(geometry, Parallelogram) and geometry.bottom - geometry.top < FLAT * (geometry.right - geometry.left):
        return 0.0
    clean, faced, met, seen = _edges(echoes, geometry)
    shares = np.array([*_inside(echoes, geometry), clean, faced, _alike(geometry)])
    shown = min(1.0, 2 * seen)
    sure = shown * min(1.0, met / MET) ** 2 + (1 - shown) * UNSEEN
    return float(np.prod(np.maximum(shares, 0.0) ** POWERS) * sure)


def _alike(geometry: Fan | Parallelogram) -> float:
    if isinstance(geometry, Parallelogram):
        return 1.0
    return 1.0 - min(0.9, abs(geometry.left + geometry.right) / (geometry.right - geometry.left))


def _inside(echoes: Echoes, geometry: Fan | Parallelogram) -> tuple[float, float]:
    """Shares of the echoes that are explained and of the cells that are occupied."""
    x, y = (axis.astype(np.float32) for axis in np.ogrid[tuple(slice(side) for side in echoes.thick.shape)][::-1])
    distances = np.broadcast_arrays(*geometry.distances(x, y))
    within = np.flatnonzero(np.maximum(np.maximum(*distances[:2]), np.maximum(*distances[2:])) <= 0)
    if not within.size:
        return 0.0, 0.0
    left, right, near, far = (-distance.ravel()[within] for distance in distances)
    across, deep = CELLS
    cell = _cell(left, right, across) * deep + _cell(near, far, deep)
    thick, labels = echoes.thick.ravel()[within], echoes.labels.ravel()[within]
    size = np.bincount(cell, minlength=across * deep)
    bright = np.bincount(cell[thick], minlength=across * deep)
    occupied = (bright > OCCUPIED * size)[size > 3]
    covered = np.bincount(labels[thick], minlength=len(echoes.sizes))
    own = (covered > TOUCHED * echoes.sizes) | echoes.free()
    own[0] = False
    return float(covered[own].sum() / max(1, echoes.sizes[own].sum())), float(occupied.mean()) if occupied.size else 0.0


def _cell(before: AnyFloats, behind: AnyFloats, count: int) -> NDArray[np.intp]:
    """Which of `count` equal parts a place lies in, by its distances from both ends."""
    return np.minimum(before / (before + behind + 1e-6) * count, count - 1).astype(np.intp)


def _edges(echoes: Echoes, geometry: Fan | Parallelogram) -> tuple[float, float, float, float]:
    """Shares: of the surroundings dark, of the near edge with echoes below, of places met, of edges seen."""
    along = profiles(echoes.coarse, echoes.background, geometry, REACH, 2.0)
    bright = along.bright()
    outside, below = bright[1 : REACH - 1], bright[REACH + 1 :, along.edges == EDGES.index("near")]
    count = np.bincount(along.edges, minlength=len(EDGES))
    dark = 1 - np.bincount(along.edges, weights=outside.mean(axis=0), minlength=len(EDGES)) / np.maximum(count, 1)
    clean = float(dark[count >= ENOUGH].mean()) if (count >= ENOUGH).any() else 1.0
    faced = float(below.any(axis=0).mean()) if below.shape[1] >= ENOUGH else 1.0
    met = float(bright[REACH - 1 : REACH + 3].any(axis=0).mean()) if count.any() else 0.0
    return clean, faced, met, len(along.edges) / along.asked
