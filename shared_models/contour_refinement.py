"""A contour's inner points moved to where the distance head says that the contour is (d.2, step 9)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_models.long_axis import SAMPLES, spline

INNER = (1, 2, 4, 5)
REACH = 6.0  # pixels along the normal, either way
STEP = 0.25


def refined(points: NDArray[np.float64], distance: NDArray[np.float32]) -> NDArray[np.float64]:
    """(7, 2) points of which the four inner ones lie at the least of a (S, S) map of distances along their normals.

    Of equals the one nearest to where the point was is taken; base and apex stay.

    Raises:
        ValueError: two neighbouring points are the same.
    """
    from scipy.ndimage import map_coordinates

    offsets = np.arange(-REACH, REACH + STEP / 2, STEP)
    offsets = offsets[np.argsort(np.abs(offsets), kind="stable")]
    found = points.copy()
    for number, normal in zip(INNER, normals(points)[list(INNER)], strict=True):
        line = points[number] + offsets[:, None] * normal
        values = map_coordinates(distance.astype(np.float64), line.T[::-1], order=1, mode="nearest")
        found[number] = line[int(values.round(6).argmin())]  # of equals, to a millionth
    return found


def normals(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(7, 2) unit normals of the spline at its points."""
    curve = spline(points, SAMPLES)
    nearest = [int(np.linalg.norm(curve - point, axis=1).argmin()) for point in points]
    slope = np.gradient(curve, axis=0)[nearest]
    turned = np.stack([-slope[:, 1], slope[:, 0]], axis=1)
    return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True))
