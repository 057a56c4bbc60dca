"""A rival: a statistical shape model, fitted to the outlines that planes show.

Signed distances phi(x) to the surface (voxels, below nought inside) of training volumes have a mean and main modes
(Leventon et al., CVPR 2000): phi(x) = mean(x) + sum b_k mode_k(x), modes scaled so that each b_k has variance one.
Where a plane shows an outline, phi is nought, or a little less where volumes hold every voxel that a wall crosses; the
b that fits best is that of least squares under the prior,

    min_b  sum over outline points ((phi(x) - level) / sigma)^2 + |b|^2,

which is linear in b.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.reconstruction.plane_places import Places

Floats = NDArray[np.float32]
HALF = 0.5
BAND = 2.0  # voxels on either side of the surface over which a probability falls from 1 to 0
LEAST = 1e-3  # of the first deviation, under which a mode is none: what is less, float32 does not tell from nought


@dataclass(frozen=True)
class ShapeModel:
    """Shapes of one kind.

    Attributes:
        mean: (E, E, E) of the signed distances, in voxels.
        modes: (K, E, E, E) times their deviations.
    """

    mean: Floats
    modes: Floats

    def distances(self, b: NDArray[np.float64]) -> Floats:
        """(E, E, E) signed distances of a shape with coefficients (K,)."""
        return np.asarray(self.mean + np.tensordot(b, self.modes, axes=1), dtype=np.float32)


def shape_model(volumes: Sequence[NDArray[np.bool_]], modes: int) -> ShapeModel:
    """Of (E, E, E) volumes; of more modes than the volumes have there are as many as they have.

    Raises:
        ValueError: fewer than two volumes, volumes of several shapes, one that is empty or full, or no mode asked for.
    """
    if len(volumes) < 2 or modes < 1:
        raise ValueError(f"a shape model needs two volumes and a mode; these are {len(volumes)} and {modes}")
    if len({volume.shape for volume in volumes}) > 1:
        raise ValueError("the volumes of a shape model differ in shape")
    distances = np.stack([signed_distance(volume) for volume in volumes])
    mean = distances.mean(axis=0)
    flat = (distances - mean).reshape(len(volumes), -1)
    scaled = _main_modes(flat, modes)
    return ShapeModel(mean, scaled.reshape(len(scaled), *mean.shape))


def _main_modes(flat: Floats, most: int) -> Floats:
    """(K, D) axes times their deviations, of (n, D) rows less their mean, by the (n, n) products, since D is large."""
    values, vectors = np.linalg.eigh((flat @ flat.T).astype(np.float64))
    lengths, vectors = np.sqrt(np.maximum(values[::-1], 0)), vectors[:, ::-1]
    kept = min(most, int((lengths > LEAST * lengths[0]).sum()))
    scaled = vectors[:, :kept].T / np.sqrt(len(flat) - 1)
    return np.asarray(scaled.astype(np.float32) @ flat, dtype=np.float32)


def signed_distance(volume: NDArray[np.bool_]) -> Floats:
    """(E, E, E) voxels to the surface, which lies half a voxel off the centres next to it; below nought inside.

    Raises:
        ValueError: a volume without a surface.
    """
    from scipy.ndimage import distance_transform_edt

    if volume.all() or not volume.any():
        raise ValueError("a volume that is empty or full has no surface")
    outside, inside = (np.asarray(distance_transform_edt(part), np.float32) for part in (~volume, volume))
    return np.where(volume, HALF - inside, outside - HALF)


def outline_points(planes: NDArray[np.float32], where: Places, level: float = HALF) -> NDArray[np.float64]:
    """(n, 3) voxels where planes cross a grey, interpolated between the places of their pixels.

    Args:
        planes: (V, S, S) grey.
        where: (V, S, S, 3) voxels of their pixels.
        level: between the background and the darkest of what is to be found.

    Raises:
        ValueError: planes and places do not go together.
    """
    from skimage.measure import find_contours

    if where.shape != (*planes.shape, 3):
        raise ValueError(f"planes are {planes.shape}, the places of their pixels {where.shape}")
    pairs = zip(planes, where, strict=True)
    found = [_between(place, contour) for plane, place in pairs for contour in find_contours(plane, level)]
    return np.concatenate(found) if found else np.zeros((0, 3))


def fitted(
    model: ShapeModel, points: NDArray[np.float64], sigma: float = 1.0, level: float = 0.0
) -> NDArray[np.float64]:
    """(K,) coefficients of the shape whose surface is nearest to points, (n, 3) voxels; none outside the volume counts.

    Args:
        model: of the shapes.
        points: on the surface.
        sigma: voxels by which a point is off, in which the prior is weighed; the larger, the nearer to the mean.
        level: signed distance, in voxels, at which the points lie.

    Raises:
        ValueError: a sigma that is not above nought.
    """
    return solved(*sampled(model, points), sigma, level)


def sampled(model: ShapeModel, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(m,) of the mean and (m, K) of the modes at those of (n, 3) points that lie in the volume."""
    inside = points[((points >= 0) & (points <= len(model.mean) - 1)).all(axis=1)]
    mean, *modes = (_at(volume, inside) for volume in (model.mean, *model.modes))
    return mean, np.stack(modes, axis=1)


def solved(
    mean: NDArray[np.float64], slopes: NDArray[np.float64], sigma: float, level: float = 0.0
) -> NDArray[np.float64]:
    """(K,) coefficients, of what `sampled` gives; the rest as in `fitted`.

    Raises:
        ValueError: a sigma that is not above nought.
    """
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma} voxels; it must be above 0")
    normal = slopes.T @ slopes / sigma**2 + np.eye(slopes.shape[1])
    return np.asarray(np.linalg.solve(normal, slopes.T @ (level - mean) / sigma**2))


def occupancy(distances: Floats) -> Floats:
    """Probabilities of signed distances in voxels: a half on the surface, 1 and 0 from BAND voxels off it."""
    return np.clip(HALF - distances / (2 * BAND), 0, 1)


def _between(place: NDArray[np.floating], contour: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) places at (n, 2) rows and columns that are not whole."""
    from scipy.ndimage import map_coordinates

    each = [map_coordinates(place[..., axis], contour.T, order=1, mode="nearest") for axis in range(3)]
    return np.stack(each, axis=1).astype(np.float64)


def _at(volume: Floats, points: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(volume, points.T, order=1, output=np.float64))
