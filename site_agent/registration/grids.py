"""Where the voxels of an image lie, in millimetres; left, posterior, superior as ITK and DICOM count them (LPS).

Arrays are (H, W) in 2D, rows first as all readers here have them, and (X, Y, Z) in 3D as NIfTI and MetaImage count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
SAME = 1e-3  # of a voxel: how far corners of one grid may lie apart


@dataclass(frozen=True)
class Grid:
    """The voxels of an image.

    Attributes:
        size: voxels along each axis of the array.
        matrix: (d + 1, d + 1) from numbers of a voxel to LPS millimetres; to pixels where the size of one is unknown.
        known: whether the size of a voxel is known.
        placed: whether a header says where in the scanner it lies.
    """

    size: tuple[int, ...]
    matrix: Matrix
    known: bool
    placed: bool

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return len(self.size)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Millimetres from voxel to voxel along each axis of the array."""
        edges = np.linalg.norm(self.matrix[:-1, :-1], axis=0)
        return tuple(float(edge) for edge in edges)

    def corners(self) -> Matrix:
        """(2 ** d, d) numbers of the first and last voxels."""
        ends = np.stack(np.meshgrid(*[(0, n - 1) for n in self.size], indexing="ij"), axis=-1)
        return ends.reshape(-1, self.dimensions).astype(np.float64)

    def same_as(self, other: Grid) -> bool:
        """Whether both have the same voxels at the same places."""
        if self.size != other.size:
            return False
        apart = applied(self.matrix, self.corners()) - applied(other.matrix, other.corners())
        return bool(np.abs(apart).max() <= SAME * min(self.spacing))

    def __str__(self) -> str:
        """``34x47x40 voxels of 1x1x1 mm``, x first."""
        order = slice(None, None, -1) if self.dimensions == 2 else slice(None)
        sides = "x".join(f"{edge:.4g}" for edge in self.spacing[order])
        noun = "pixels" if self.dimensions == 2 else "voxels"
        return f"{'x'.join(map(str, self.size[order]))} {noun} of {f'{sides} mm' if self.known else 'unknown size'}"


def picture_grid(height: int, width: int, spacing_mm: tuple[float, float] | None) -> Grid:
    """Of a picture, its first pixel at the origin, x to the right and y down.

    Args:
        height: pixels.
        width: pixels.
        spacing_mm: height and width of a pixel, where they are known.
    """
    tall, wide = spacing_mm or (1.0, 1.0)
    matrix = np.array([[0.0, wide, 0.0], [tall, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return Grid((height, width), matrix, spacing_mm is not None, placed=False)


def rows_first(matrix: Matrix) -> Matrix:
    """A matrix for numbers x, y as one for numbers of rows and columns, and back."""
    return matrix[:, [1, 0, 2]]


def applied(matrix: Matrix, points: Matrix) -> Matrix:
    """(n, d) points moved by a (d + 1, d + 1) matrix."""
    return np.asarray(points @ matrix[:-1, :-1].T + matrix[:-1, -1])


def leading(fixed: Grid, moving: Grid) -> Matrix:
    """The matrix from numbers of the fixed image's voxels to those of the moving one, at the same place."""
    return np.asarray(np.linalg.inv(moving.matrix) @ fixed.matrix)


def positions(size: Sequence[int], matrix: Matrix) -> Matrix:
    """(d, *size) where a matrix leads every voxel."""
    numbers = np.indices(size, dtype=np.float64)
    return np.asarray(np.tensordot(matrix[:-1, :-1], numbers, axes=1) + matrix[:-1, -1].reshape(-1, *[1] * len(size)))
