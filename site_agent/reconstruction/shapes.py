"""A volume as a person sees it: looked through along its three axes, and as a mesh for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared_models.reconstruction.surface import Mesh

SIDE = 96  # pixels of one picture, at least


def looked_through(volume: NDArray[np.floating] | NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(S, 3 S) means of (E, E, E) along each axis, the most filled line being white."""
    means = [np.asarray(volume, dtype=np.float64).mean(axis=axis) for axis in range(3)]
    brightest = max(float(mean.max()) for mean in means) or 1.0
    wide = np.concatenate([np.rint(255 * mean / brightest).astype(np.uint8) for mean in means], axis=1)
    times = -(-SIDE // len(volume))
    return np.repeat(np.repeat(wide, times, axis=0), times, axis=1)


def mesh_bytes(form: str, volume: NDArray[np.floating], spacing_mm: float) -> bytes:
    """The surface of probabilities at a half, as STL or PLY.

    Raises:
        DataError: nothing reaches a half, or the surface is not closed.
    """
    from shared_models.reconstruction.surface import surface

    try:
        return _writers()[form](surface(volume, spacing_mm))
    except ValueError as error:
        raise DataError(str(error), where=form) from error


FORMS = ("stl", "ply")


def _writers() -> dict[str, Callable[[Mesh], bytes]]:
    from shared_models.reconstruction.surface import ply_bytes, stl_bytes

    return dict(zip(FORMS, (stl_bytes, ply_bytes), strict=True))
