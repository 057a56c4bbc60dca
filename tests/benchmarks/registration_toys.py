"""Small images that a known field has moved, for tests of registration."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

SHAPES = ((40, 48), (24, 28, 32))


def blobs(shape, seed=0):
    """Smooth blobs in the middle, the same at every voxel of the edge."""
    rng = np.random.default_rng(seed)
    image = np.zeros(shape)
    inner = tuple(slice(size // 4, -(size // 4)) for size in shape)
    image[inner] = rng.random([-(size // 4) - size // 4 + size for size in shape])
    image = gaussian_filter(image, 2.0)
    return (image / image.max()).astype(np.float32)


def moved(image, field):
    """moving(p + u(p)), with a cubic spline."""
    return map_coordinates(image, np.indices(image.shape) + field, order=3, mode="nearest").astype(np.float32)


def shift(shape, by):
    """The same step everywhere."""
    return np.broadcast_to(np.reshape(by, (-1, *[1] * len(shape))), (len(shape), *shape)).astype(np.float32)


def swirl(shape, most=2.0):
    """A smooth field whose axes differ, nought at the edge."""
    at = np.stack(np.meshgrid(*[np.linspace(0, np.pi, size) for size in shape], indexing="ij"))
    bump = np.prod(np.sin(at), axis=0)
    return np.stack([most * (1 if axis else -1) * (1 - 0.25 * axis) * bump for axis in range(len(shape))]).astype(
        np.float32
    )
