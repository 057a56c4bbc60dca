"""Where the pixels of a plane lie in a volume, and planes drawn into it.

A network of views never needs it: it learns where its views lie. Its rivals do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom.planes import Plane
from shared_models.phantom.volumes import PLANE_PIXELS, Grid

Places = NDArray[np.float32]
GREY, SEEN = 0, 1


def places(cut: Plane, grid: Grid, pixel_mm: float, pixels: int = PLANE_PIXELS) -> Places:
    """(S, S, 3) voxels, not rounded, of the pixels of a plane whose origin is the picture's middle.

    Args:
        cut: where the plane lies.
        grid: of the volume.
        pixel_mm: edge of a pixel.
        pixels: S, of the picture's edge.
    """
    steps = (np.arange(pixels) + 0.5 - pixels / 2) * pixel_mm
    down, right = np.meshgrid(steps, steps, indexing="ij")
    points = (cut.points(right, down) - grid.origin) / grid.spacing_mm
    return points.reshape(pixels, pixels, 3).astype(np.float32)


def drawn(planes: NDArray[np.float32], where: Places, edge: int) -> NDArray[np.float32]:
    """(2, E, E, E): the mean grey that planes show in each voxel, and whether any shows it.

    Args:
        planes: (V, S, S) grey.
        where: (V, S, S, 3) voxels of their pixels; what lies outside the volume is left out.
        edge: E.

    Raises:
        ValueError: planes and places do not go together.
    """
    if where.shape != (*planes.shape, 3):
        raise ValueError(f"planes are {planes.shape}, the places of their pixels {where.shape}")
    nearest = np.rint(where).astype(np.int64).reshape(-1, 3)
    inside = ((nearest >= 0) & (nearest < edge)).all(axis=1)
    voxels = np.ravel_multi_index(tuple(nearest[inside].T), (edge,) * 3)
    counts = np.bincount(voxels, minlength=edge**3)
    greys = np.bincount(voxels, weights=planes.reshape(-1)[inside], minlength=edge**3)
    found = np.stack([greys / np.maximum(counts, 1), counts > 0]).astype(np.float32)
    return found.reshape(2, edge, edge, edge)
