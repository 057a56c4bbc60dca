"""Random smooth displacement fields, band-limited or not, that fold nowhere: warps whose truth is known.

A field is (d, *N) float32 in voxels, channel k along axis k, and maps fixed to moving: warped(p) = moving(p + u(p)).
What is band-limited is what a band-limited method draws by construction, so that both kinds belong in a comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Field = NDArray[np.float32]

SMALLEST_JACOBIAN = 0.1
HALVINGS = 12
BUMPS = 6
BUMP_SHARE = 0.5  # of the largest displacement of the smooth part


def band_limited_warp(generator: np.random.Generator, shape: Sequence[int], largest: float, modes: int = 3) -> Field:
    """A sum of random cosines and sines of at most `modes` periods along each axis.

    Args:
        generator: draws it.
        shape: N, two or three axes.
        largest: length in voxels of the longest displacement; shorter where the field would fold.
        modes: the highest frequency, in periods over an axis; below half its length.

    Raises:
        ValueError: a shape, length or number of modes that gives no field.
    """
    _check(shape, largest)
    if not 1 <= modes < min(shape) / 2:
        raise ValueError(f"{modes} periods over {min(shape)} voxels are no field: 1 or more, below half the voxels")
    spectrum = np.zeros((len(shape), *shape), np.complex128)
    axes = [np.abs(np.fft.fftfreq(size, 1 / size)) for size in shape]
    frequency = np.meshgrid(*axes, indexing="ij")
    kept = np.all([each <= modes for each in frequency], axis=0)
    decay = 1 / (1 + sum(each**2 for each in frequency)[kept])
    drawn = generator.standard_normal((len(shape), decay.size, 2)) @ [1.0, 1.0j]
    spectrum[:, kept] = drawn * decay
    return unfolded(np.fft.ifftn(spectrum, axes=range(1, len(shape) + 1)).real, largest)


def local_warp(generator: np.random.Generator, shape: Sequence[int], largest: float, sigma: float = 8.0) -> Field:
    """Smoothed noise and a few bumps of compact support, so that the spectrum has no end.

    A bump is (1 - r)^4 (4 r + 1) along a random direction (Wendland 1995), r the distance in radii of three to
    six `sigma`.

    Args:
        generator: draws it.
        shape: N, two or three axes.
        largest: length in voxels of the longest displacement; shorter where the field would fold.
        sigma: of the Gaussian that smooths the noise, voxels.

    Raises:
        ValueError: a shape, length or sigma that gives no field.
    """
    _check(shape, largest)
    if not sigma > 0:
        raise ValueError(f"a sigma of {sigma:g} voxels smooths nothing: it must be positive")
    noise = generator.standard_normal((len(shape), *shape))
    field = np.stack([gaussian_filter(part, sigma, mode="nearest") for part in noise])
    field /= np.linalg.norm(field, axis=0).max()
    places = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"))
    for _ in range(BUMPS):
        middle = generator.uniform(0, shape).reshape(-1, *[1] * len(shape))
        away = np.linalg.norm(places - middle, axis=0) / generator.uniform(3 * sigma, 6 * sigma)
        bump = np.clip(1 - away, 0, None) ** 4 * (4 * away + 1)
        direction = generator.standard_normal(len(shape))
        field += BUMP_SHARE * bump * (direction / np.linalg.norm(direction)).reshape(-1, *[1] * len(shape))
    return unfolded(field, largest)


def unfolded(field: NDArray[np.floating], largest: float) -> Field:
    """A field scaled so that its longest displacement is `largest` voxels, and shorter where it would fold."""
    length = float(np.linalg.norm(field, axis=0).max())
    if not length:
        return np.zeros(field.shape, np.float32)
    whole = field * (largest / length)
    if smallest_jacobian(whole) >= SMALLEST_JACOBIAN:
        return whole.astype(np.float32)
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if smallest_jacobian(middle * whole) >= SMALLEST_JACOBIAN else (low, middle)
    return (low * whole).astype(np.float32)


def smallest_jacobian(field: NDArray[np.floating]) -> float:
    """The smallest determinant of d(p + u)/dp over all voxels, by forward, backward and mixed differences.

    With all of them positive no simplex of neighbouring voxels is turned inside out; central differences alone would
    not see a fold of one voxel.
    """
    d, shape = len(field), field.shape[1:]
    steps = [np.diff(field, axis=axis + 1) for axis in range(d)]  # [axis][channel]
    found = np.inf
    for corner in product((slice(None, -1), slice(1, None)), repeat=d):  # of a cell, and the edges that meet there
        matrix = np.empty((*(size - 1 for size in shape), d, d))
        for axis in range(d):
            edge = tuple(slice(None) if other == axis else corner[other] for other in range(d))
            matrix[..., axis] = np.moveaxis(steps[axis][(slice(None), *edge)], 0, -1)
        matrix += np.eye(d)
        found = min(found, float(np.linalg.det(matrix).min()))
    return found


def warped(image: NDArray[np.floating], field: NDArray[np.floating], order: Literal[1, 3] = 3) -> NDArray[np.float32]:
    """(*N) image(p + u(p)) by a spline of an order, the border's values beyond it."""
    places = np.indices(image.shape, dtype=np.float64) + field
    return map_coordinates(image.astype(np.float32), places, order=order, mode="nearest").astype(np.float32)


def warped_labels(labels: NDArray[np.integer], field: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(*N) label values: each value's mask is warped linearly, the greatest wins."""
    values = np.unique(labels)
    shares = np.stack([warped((labels == value).astype(np.float32), field, order=1) for value in values])
    return values[shares.argmax(axis=0)].astype(np.uint8)


def _check(shape: Sequence[int], largest: float) -> None:
    if len(shape) not in {2, 3} or min(shape) < 4:
        raise ValueError(f"a field over {'x'.join(map(str, shape))} voxels is none: two or three axes of 4 or more")
    if not 0 < largest < min(shape):
        raise ValueError(f"a displacement of {largest:g} voxels is out of range over {min(shape)}: above 0, and less")
