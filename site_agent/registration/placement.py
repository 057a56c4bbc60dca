"""A moving image brought onto a fixed one's grid: as it is where both grids are one, else by where headers place it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.registration.grids import SAME, Matrix, applied, leading, positions
from site_agent.registration.image_files import GreyImage

if TYPE_CHECKING:
    from torch import Tensor

SAME_SPACING = 1e-3  # share by which spacings may differ
HALF = 0.5  # voxels from the last centre to the edge
APART = "mend the headers, or align the images: --align affine"
RESAMPLE = "bring both to one grid, or say --resample to place them as their headers do"


@dataclass(frozen=True)
class PlacedPair:
    """Two images of one number of dimensions, and how the fixed grid leads into the moving one.

    Attributes:
        moving, fixed: as they were read.
        matrix: (d + 1, d + 1) from numbers of the fixed image's voxels to those of the moving one.
        alignment: (d + 1, d + 1) from numbers of the fixed image's voxels to such, which `matrix` begins with; None
            where headers alone lead.
    """

    moving: GreyImage
    fixed: GreyImage
    matrix: Matrix
    alignment: Matrix | None = None

    @property
    def resampled(self) -> bool:
        """Whether the grids differ."""
        same = self.moving.values.shape == self.fixed.values.shape
        return not same or not np.allclose(self.matrix, np.eye(len(self.matrix)), atol=SAME)

    @cached_property
    def moving_values(self) -> NDArray[np.floating[Any]]:
        """The moving image on the fixed one's grid; its least value where it has none."""
        if not self.resampled:
            return self.moving.values
        values = self.moving.values
        least = values.min()
        return self.taken(values - least, None) + least

    def taken(self, values: NDArray[np.floating[Any]], field: NDArray[np.floating[Any]] | None) -> NDArray[np.float64]:
        """Values of the moving image, linearly, where a field leads; 0 beyond its edges, as ITK has it.

        Args:
            values: on the moving image's grid.
            field: (d, *N) in voxels of the fixed grid; None for none.
        """
        import torch

        from shared_models.registration.fields import warp

        held = torch.from_numpy(np.ascontiguousarray(values, np.float64))[None, None]
        found = warp(held, self._leads(field), "border")[0, 0].numpy()
        return np.where(self._inside(field), found, 0.0)

    def taken_labels(self, labels: NDArray[np.uint8], field: NDArray[np.floating[Any]] | None) -> NDArray[np.uint8]:
        """Labels likewise, each linearly, the strongest wins."""
        import torch

        from shared_models.registration.fields import warp_labels

        known = sorted({0, *np.unique(labels).tolist()})
        found = warp_labels(torch.from_numpy(np.ascontiguousarray(labels))[None], self._leads(field), known)
        return np.asarray(found[0].numpy(), np.uint8)

    def whole(self, field: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """(d, *N) voxels of the fixed grid, of a field after which the alignment leads on: both as one field."""
        if self.alignment is None:
            return field
        size, linear = self.fixed.values.shape, self.alignment[:-1, :-1]
        moved = positions(size, self.alignment) - positions(size, np.eye(len(self.alignment)))
        return np.asarray(moved + np.tensordot(linear, field.astype(np.float64), axes=1))

    def _places(self, field: NDArray[np.floating[Any]] | None) -> NDArray[np.float64]:
        """(d, *N) numbers of the moving image's voxels to which each fixed one leads."""
        size = self.fixed.values.shape
        at = positions(size, self.matrix)
        if field is None:
            return at
        return at + np.tensordot(self.matrix[:-1, :-1], field.astype(np.float64), axes=1)

    def _leads(self, field: NDArray[np.floating[Any]] | None) -> Tensor:
        """What `fields.warp` takes: (1, d, *N), normalised by the moving image's size."""
        import torch

        from shared_models.registration.fields import identity_grid

        halves = (np.array(self.moving.values.shape, np.float64) - 1) / 2
        halves = halves.reshape(-1, *[1] * len(halves))
        there = torch.from_numpy(self._places(field) / halves - 1)[None]
        return there - identity_grid(self.fixed.values.shape, there)

    def _inside(self, field: NDArray[np.floating[Any]] | None) -> NDArray[np.bool_]:
        at = self._places(field)
        ends = np.array(self.moving.values.shape, np.float64).reshape(-1, *[1] * (len(at)))
        return np.asarray(((at >= -HALF) & (at <= ends - HALF)).all(axis=0))


def placed(moving: GreyImage, fixed: GreyImage, *, resample: bool = False) -> PlacedPair:
    """Both images, once it is clear that they can be registered.

    Args:
        moving: is to be moved.
        fixed: stays.
        resample: whether the moving image may be placed by its header onto another grid.

    Raises:
        DataError: dimensions, shapes, spacings or places that do not go together, or images that nowhere overlap.
    """
    _require_dimensions(moving, fixed)
    matrix = leading(fixed.grid, moving.grid)
    both = moving.grid.placed and fixed.grid.placed
    if resample and not both:
        unplaced = moving if not moving.grid.placed else fixed
        raise DataError("says nowhere where it lies in the scanner", where=unplaced.name, cure="leave out --resample")
    if not resample:
        _require_one_grid(moving, fixed, both=both)
        matrix = matrix if both else np.eye(len(matrix))
    pair = PlacedPair(moving, fixed, matrix)
    if both and not _overlap(pair):
        what = f"lies nowhere over {fixed.name} by what their headers say"
        raise DataError(what, where=moving.name, cure=APART)
    if pair.resampled and np.ptp(pair.moving_values) == 0:
        what = f"shows nothing where {fixed.name} lies by what their headers say"
        raise DataError(what, where=moving.name, cure=APART)
    return pair


def placed_to_align(moving: GreyImage, fixed: GreyImage) -> PlacedPair:
    """Both images where headers place them, or first voxel on first voxel where one has no place; they may lie apart.

    Raises:
        DataError: dimensions that differ, or a size of voxels that only one of them says.
    """
    _require_dimensions(moving, fixed)
    if moving.grid.known != fixed.grid.known:
        unknown = fixed if moving.grid.known else moving
        raise DataError("does not say how large its pixels are", where=unknown.name, cure="say it with --spacing-mm")
    if moving.grid.placed and fixed.grid.placed:
        return PlacedPair(moving, fixed, leading(fixed.grid, moving.grid))
    sizes = np.array(fixed.grid.spacing) / np.array(moving.grid.spacing)
    return PlacedPair(moving, fixed, np.diag([*sizes, 1.0]))


def _require_dimensions(moving: GreyImage, fixed: GreyImage) -> None:
    if moving.grid.dimensions != fixed.grid.dimensions:
        dimensions = f"has {moving.grid.dimensions} dimensions, {fixed.name} {fixed.grid.dimensions}"
        raise DataError(dimensions, where=moving.name, cure="register images of as many dimensions")


def _require_one_grid(moving: GreyImage, fixed: GreyImage, *, both: bool) -> None:
    cure = RESAMPLE if both else "bring both to one grid before"
    one, other = moving.grid, fixed.grid
    if one.size != other.size:
        raise DataError(f"has {one}, {fixed.name} {other}", where=moving.name, cure=cure)
    alike = np.allclose(one.spacing, other.spacing, rtol=SAME_SPACING)
    if one.known and other.known and not alike:
        raise DataError(f"has {one}, {fixed.name} {other}", where=moving.name, cure=cure)
    if both and not one.same_as(other):
        if not _overlap(PlacedPair(moving, fixed, leading(other, one))):
            return  # which `placed` tells
        raise DataError(f"lies elsewhere in the scanner than {fixed.name}", where=moving.name, cure=cure)


def _overlap(pair: PlacedPair) -> bool:
    """Whether boxes about both images, along the moving one's axes, have something in common."""
    corners = applied(pair.matrix, pair.fixed.grid.corners())
    low, high = corners.min(axis=0), corners.max(axis=0)
    return bool(((high >= 0) & (low <= np.array(pair.moving.values.shape) - 1)).all())
