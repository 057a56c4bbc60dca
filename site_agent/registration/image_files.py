"""Images and label maps that are registered: NIfTI and MetaImage in 2D and 3D, pictures and DICOM stills in 2D."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.registration.grids import Grid, Matrix, picture_grid, rows_first
from site_agent.sources import metaimage_volume, nifti
from site_agent.sources.files import METAIMAGE_SUFFIXES, open_file
from site_agent.sources.images import STILLS, luma
from site_agent.sources.index_masks import read_picture
from site_agent.sources.source import Opened
from site_agent.sources.volumes import Volume

NIFTI = (".nii", ".nii.gz")
MOST_VOXELS = 2**24
TINY = 1e-9  # mm³: the least volume of a voxel
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI's right, anterior, superior, turned round


@dataclass(frozen=True)
class GreyImage:
    """One image.

    Attributes:
        name: of its file.
        values: (*N) as stored.
        grid: where they lie.
    """

    name: str
    values: NDArray[np.floating[Any]]
    grid: Grid


def read_image(path: Path, spacing_mm: float | None = None) -> GreyImage:
    """An image of finite values that differ.

    Args:
        path: of the file.
        spacing_mm: side of a pixel, for a picture whose file does not say it.

    Raises:
        DataError: it cannot be read, is a clip, is too large, or shows nothing.
    """
    try:
        values, grid = _read(path, spacing_mm)
        if not np.isfinite(values).all():
            raise DataError("holds values that are no numbers (NaN or infinite)", cure="replace them before")
        if values.min() == values.max():
            raise DataError("shows nothing: every voxel has the same value", cure="name another file")
    except DataError as error:
        raise _named(error, path) from error
    return GreyImage(str(path), values, grid)


def read_labels(path: Path, image: GreyImage) -> NDArray[np.uint8]:
    """The label map of an image: whole numbers from 0 to 255, 0 for nothing, some voxel not 0.

    Raises:
        DataError: it cannot be read, holds other numbers, or lies on another grid.
    """
    try:
        labels, grid = _read_labels(path)
        if labels.shape != image.values.shape or (grid.placed and image.grid.placed and not grid.same_as(image.grid)):
            cure = "name the label map that was drawn in this image"
            raise DataError(
                f"has {grid}, its image {image.name} {image.grid}: they do not lie on each other", cure=cure
            )
        if not labels.any():
            raise DataError("holds no label but 0", cure="name a label map in which something is drawn")
    except DataError as error:
        raise _named(error, path) from error
    return labels


def is_nifti(path: Path) -> bool:
    """By its name."""
    return path.name.lower().endswith(NIFTI)


def _named(error: DataError, path: Path) -> DataError:
    return DataError(error.what, where=error.where or str(path), cure=error.cure)


def _read(path: Path, spacing_mm: float | None) -> tuple[NDArray[np.floating[Any]], Grid]:
    if (reader := _volume_reader(path)) is not None:
        volume, matrix = reader(path)
        slices, grid = _grid(volume, matrix)
        return np.asarray(_stacked(volume, list(volume.values()), slices), np.float64), grid
    opened = open_file(path)
    picture = _only_frame(opened)
    known = opened.facts.spacing_mm or (None if spacing_mm is None else (spacing_mm, spacing_mm))
    return picture.astype(np.float64), picture_grid(picture.shape[0], picture.shape[1], known)


def _read_labels(path: Path) -> tuple[NDArray[np.uint8], Grid]:
    if (reader := _volume_reader(path)) is not None:
        volume, matrix = reader(path)
        slices, grid = _grid(volume, matrix)
        stored = list(volume.labels())
        return (stored[0] if slices == 1 else np.stack(stored).transpose(2, 1, 0)), grid
    if path.suffix.lower() not in STILLS:
        raise DataError("is no label map that is read", cure="save it as NIfTI, MetaImage or PNG")
    values = read_picture(path)
    if values.min() < 0 or values.max() > np.iinfo(np.uint8).max:
        raise DataError("holds values that are no labels from 0 to 255")
    return values.astype(np.uint8), picture_grid(values.shape[0], values.shape[1], None)


def _only_frame(opened: Opened) -> NDArray[np.uint8]:
    frames = opened.frames()
    first = next(frames, None)
    if first is None:
        raise DataError("holds no frame")
    if next(frames, None) is not None:
        raise DataError("is a clip, and no single image", cure="follow clips with: consilium site motion")
    return luma(first)


def _stacked(volume: Volume, stored: list[NDArray[Any]], slices: int) -> NDArray[np.floating[Any]]:
    """The values that are meant, (H, W) or (X, Y, Z)."""
    values = stored[0] if slices == 1 else np.stack(stored).transpose(2, 1, 0)
    return np.asarray(values.astype(np.float64) * volume.slope + volume.intercept)


def _grid(volume: Volume, matrix: Matrix | None) -> tuple[int, Grid]:
    """The number of slices, and where they lie; one slice is an image in 2D."""
    size = (volume.width, volume.height, volume.count)
    if volume.channels != 1:
        raise DataError(f"has {volume.channels} values a voxel", cure="save it as grey values")
    if np.prod(size) > MOST_VOXELS:
        most = f"at most {MOST_VOXELS / 10**6:.1f} million are registered"
        raise DataError(f"has {'x'.join(map(str, size))} voxels, {most}", cure="bring it to a coarser grid")
    if volume.count > 1:
        if matrix is not None and not _leads_back(matrix):
            raise DataError("is damaged: its header says no place for its voxels")
        known = matrix is not None
        return volume.count, Grid(size, np.eye(4) if matrix is None else matrix, known, placed=known)
    plane = None if matrix is None else rows_first(matrix[np.ix_([0, 1, 3], [0, 1, 3])])
    if plane is None or not _leads_back(plane):
        return 1, picture_grid(volume.height, volume.width, volume.spacing_mm)
    return 1, Grid((volume.height, volume.width), plane, known=True, placed=True)


def _volume_reader(path: Path) -> Callable[[Path], tuple[Volume, Matrix | None]] | None:
    if is_nifti(path):
        return _nifti
    return _metaimage if path.suffix.lower() in METAIMAGE_SUFFIXES else None


def _nifti(path: Path) -> tuple[Volume, Matrix | None]:
    """A volume with the matrix from x, y, z to LPS millimetres; None where the header says no sizes."""
    volume = nifti.read_volume(path)
    header = nifti.read_header(path)
    unit = nifti.MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    if int(header["sform_code"]) or int(header["qform_code"]):
        return volume, np.diag([unit, unit, unit, 1.0]) @ LPS @ header.get_best_affine()
    edges = np.abs([float(edge) for edge in header["pixdim"][1:4]]) * unit
    return volume, np.diag([*edges, 1.0]) if edges.all() else None


def _metaimage(path: Path) -> tuple[Volume, Matrix | None]:
    volume = metaimage_volume.read_volume(path)
    header = metaimage_volume.read_header(path)
    edges = header.numbers("ElementSpacing") or header.numbers("ElementSize")
    if not edges:
        return volume, None
    count = len(edges)
    first = (header.numbers(key) for key in ("Offset", "Position", "Origin"))
    turned = (header.numbers(key) for key in ("TransformMatrix", "Rotation", "Orientation"))
    offset = next((each for each in first if len(each) == count), [0.0] * count)
    turn = next((each for each in turned if len(each) == count**2), list(np.eye(count).ravel()))
    matrix = np.eye(4)
    matrix[:count, :count] = np.reshape(turn, (count, count)).T * edges
    matrix[:count, 3] = offset
    return volume, matrix


def _leads_back(matrix: Matrix) -> bool:
    return bool(np.isfinite(matrix).all() and abs(np.linalg.det(matrix)) > TINY)
