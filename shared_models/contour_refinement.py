"""A contour's inner points moved to where the distance head says that the contour is (d.2, step 9).

Ours: not to the least of the map along the normal, which lies at the middle of a pixel, but to where a distance from
one place, cut at the map's reach, fits the map best along the normal. That is finer than pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_models.contour_targets import REACH
from shared_models.long_axis import SAMPLES, spline

Points = NDArray[np.float64]
INNER = (1, 2, 4, 5)
FAR = 6 / 256  # of the map's width: how far a point may go, either way
SEEN = 16 / 256  # of it: how much of the normal is compared on both sides of a place
STEPS = 24  # of either


def refined(points: Points, distance: NDArray[np.float32], side: int) -> Points:
    """(7, 2) points of which the four inner ones lie where a (s, s) map of distances says, along their normals.

    Of equals the one nearest to where the point was is taken; base and apex stay.

    Args:
        points: pixels of an image.
        distance: as of `distance_map`.
        side: of the image.

    Raises:
        ValueError: two neighbouring points are the same.
    """
    from scipy.ndimage import map_coordinates

    size = distance.shape[1]
    shrunk = side / size
    at = (points + 0.5) / shrunk - 0.5
    offsets, near = (reach * size * np.linspace(-1, 1, 2 * STEPS + 1) for reach in (FAR, SEEN))
    nearest = np.argsort(np.abs(offsets), kind="stable")
    expected = np.minimum(np.abs(near) / (REACH * size), 1.0)
    found = points.copy()
    for number, normal in zip(INNER, normals(at)[list(INNER)], strict=True):
        line = at[number] + (offsets[nearest, None] + near)[..., None] * normal
        values = map_coordinates(distance.astype(np.float64), np.moveaxis(line, 2, 0)[::-1], order=1, mode="nearest")
        cost = np.abs(values - expected).sum(axis=1)
        found[number] += shrunk * offsets[nearest][int(cost.round(6).argmin())] * normal  # of equals, to a millionth
    return found


def normals(points: Points) -> Points:
    """(7, 2) unit normals of the spline at its points."""
    curve = spline(points, SAMPLES)
    nearest = [int(np.linalg.norm(curve - point, axis=1).argmin()) for point in points]
    slope = np.gradient(curve, axis=0)[nearest]
    turned = np.stack([-slope[:, 1], slope[:, 0]], axis=1)
    return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True))
