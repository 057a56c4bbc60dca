"""How well a geometry holds against an image: 0 to 1, from what its edges and its inside show."""

from __future__ import annotations

import numpy as np

from shared_models.sector_echoes import Echoes
from shared_models.sector_edges import Profiles, profiles
from shared_models.sector_geometry import EDGES, Fan, Parallelogram

REACH = 5  # pixels on either side of an edge that are looked at
CELLS = 8, 6  # across and deep
OCCUPIED = 0.1  # share of a cell's pixels that has to show an echo
TOUCHED = 0.05  # share of a region that has to lie inside for the region to be one that has to be explained
OCCUPIED_POWER, EXPLAINED_POWER = 0.25, 0.9  # as a fit to perturbed phantom sectors has them
LEAST_CLEAN, LEAST_FILLED, LEAST_SIDE = 0.85, 0.6, 0.3  # below which edges are no sector's
UNSEEN = 0.55  # quality of a sector of which no edge is seen


def quality(echoes: Echoes, geometry: Fan | Parallelogram) -> float:
    """0 to 1: explained^0.9 * occupied^0.25, less where edges do not look like a sector's.

    Explained is the share of the echoes' regions that lies inside, occupied the share of cells across and along the
    beams that shows an echo. Edges look like a sector's where it is dark outside (clean) and bright inside (filled).
    """
    explained, occupied = _inside(echoes, geometry)
    clean, filled, least, seen = _edges(echoes, geometry)
    edges = min(1.0, clean / LEAST_CLEAN) * min(1.0, filled / LEAST_FILLED) * min(1.0, least / LEAST_SIDE)
    shown = UNSEEN + (1 - UNSEEN) * min(1.0, 2 * seen)
    return float(explained**EXPLAINED_POWER * occupied**OCCUPIED_POWER * edges * shown)


def _inside(echoes: Echoes, geometry: Fan | Parallelogram) -> tuple[float, float]:
    """Shares of the echoes that are explained and of the cells that are occupied."""
    height, width = echoes.thick.shape
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    left, right, near, far = np.broadcast_arrays(*geometry.distances(x, y))
    rows, columns = np.nonzero((left <= 0) & (right <= 0) & (near <= 0) & (far <= 0))
    if not rows.size:
        return 0.0, 0.0
    left, right, near, far = (-distance[rows, columns] for distance in (left, right, near, far))
    across, deep = CELLS
    cell = (left / (left + right + 1e-6) * across).astype(int) * deep + (near / (near + far + 1e-6) * deep).astype(int)
    thick, labels = echoes.thick[rows, columns], echoes.labels[rows, columns]
    size = np.bincount(cell, minlength=across * deep)
    bright = np.bincount(cell[thick], minlength=across * deep)
    occupied = (bright > OCCUPIED * size)[size > 3]
    within = np.bincount(labels[thick], minlength=len(echoes.sizes))
    own = within > TOUCHED * echoes.sizes
    own[0] = False
    return float(within[own].sum() / max(1, echoes.sizes[own].sum())), float(occupied.mean()) if occupied.size else 0.0


def _edges(echoes: Echoes, geometry: Fan | Parallelogram) -> tuple[float, float, float, float]:
    """Share that is clean, share that is filled, the least filled edge, and the share of edges that is seen."""
    along = [profiles(echoes.coarse, echoes.background, geometry, name, REACH, 2.0) for name in EDGES]
    looks = [_looks(each) for each in along if each.values.shape[1] > 3]
    if not looks:
        return 1.0, 1.0, 1.0, 0.0
    clean, filled, weight = np.array(looks).T
    seen = weight.sum() / max(1, sum(each.asked for each in along))
    return float(clean @ weight / weight.sum()), float(filled @ weight / weight.sum()), float(filled.min()), float(seen)


def _looks(each: Profiles) -> tuple[float, float, int]:
    bright = each.values > each.levels()
    return float(1 - bright[1 : REACH - 1].mean()), float(bright[REACH + 1 :].any(axis=0).mean()), bright.shape[1]
