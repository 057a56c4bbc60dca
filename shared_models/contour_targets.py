"""What the second head of the contour network learns: how far pixels are from the open contour (d.2, step 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_models.long_axis import spline

REACH = 1 / 8  # of the map's width; what is farther counts as that far


def distance_map(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float32]:
    """(H, W) distances from pixel centres to the spline through (7, 2) points, cut at the reach and divided by it.

    The valve is no part of the contour.

    Raises:
        ValueError: two neighbouring points are the same.
    """
    from scipy.spatial import cKDTree

    reach = REACH * shape[1]
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    pixels = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64)
    distance, _ = cKDTree(spline(points)).query(pixels, distance_upper_bound=reach)
    return (np.minimum(distance, reach) / reach).reshape(shape).astype(np.float32)
