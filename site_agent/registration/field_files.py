"""Fields, images and label maps as files: NIfTI as ITK and ANTs read it, pictures as PNG.

A field file is a displacement field in millimetres: 5D, intent 1007 (vector), components along x, y, z of LPS, on the
fixed image's grid, from where a point is there to where it is in the moving image. ITK and ANTs warp by it as it is.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError, DataError
from site_agent.registration.grids import Grid, Matrix, rows_first
from site_agent.registration.image_files import LPS, NIFTI, is_nifti

VECTOR = 1007
PNG = ".png"


def require_writable(path: Path, option: str, *, picture: bool) -> None:
    """Whether a file can become what its name says, before any work is done for it.

    Args:
        path: of the file.
        option: that named it.
        picture: whether it may be a PNG.

    Raises:
        ConsiliumError: another ending, or a folder that is not there.
    """
    endings = (*NIFTI, PNG) if picture else NIFTI
    if not path.name.lower().endswith(endings):
        raise ConsiliumError(
            "has an ending that is not written", where=f"{option} {path}", cure=f"one of {', '.join(endings)}"
        )
    if not path.absolute().parent.is_dir():
        where = f"{option} {path}"
        raise ConsiliumError("lies in no folder that is there", where=where, cure="make the folder first")


def field_in_millimetres(field: NDArray[np.floating[Any]], grid: Grid) -> NDArray[np.float64]:
    """(d, *N) of a field in voxels along axes: x, y and z of LPS, in millimetres; in pixels where no size is known."""
    return np.tensordot(grid.matrix[:-1, :-1], field.astype(np.float64), axes=1)


def field_bytes(path: Path, millimetres: NDArray[np.float64], grid: Grid) -> bytes:
    """The file of a displacement field that `field_in_millimetres` gave."""
    values = np.moveaxis(millimetres, 0, -1)
    if grid.dimensions == 2:
        values = values.swapaxes(0, 1)[:, :, None]
    image = _nifti(values[:, :, :, None].astype(np.float32), grid)
    image.header.set_intent(VECTOR)
    return _packed(path, image.to_bytes())


def image_bytes(path: Path, values: NDArray[Any], grid: Grid) -> bytes:
    """The file of an image or a label map on a grid; a picture is rounded to eight bits.

    Raises:
        ConsiliumError: a picture of something in 3D.
    """
    if is_nifti(path):
        stored = values if values.dtype == np.uint8 else values.astype(np.float32)
        return _packed(path, _nifti(stored.T[:, :, None] if grid.dimensions == 2 else stored, grid).to_bytes())
    if grid.dimensions != 2:
        raise ConsiliumError("can hold no volume", where=str(path), cure="name it .nii.gz")
    from site_agent.training_report.page import png

    return png(np.ascontiguousarray(np.rint(values).clip(0, 255).astype(np.uint8)))


def _nifti(values: NDArray[Any], grid: Grid) -> Any:
    try:
        import nibabel
    except ImportError as error:
        raise DataError("needs nibabel to be written", where="NIfTI", cure="pip install 'consilium[nifti]'") from error
    matrix = LPS @ _in_space(grid)
    image = nibabel.Nifti1Image(values, matrix)
    image.set_qform(matrix, 1)
    image.set_sform(matrix, 1)
    image.header.set_xyzt_units("mm" if grid.known else 0)
    return image


def _in_space(grid: Grid) -> Matrix:
    """(4, 4) from x, y, z numbers to LPS; a plane lies at z = 0."""
    if grid.dimensions == 3:
        return grid.matrix
    matrix = np.eye(4)
    matrix[np.ix_([0, 1, 3], [0, 1, 3])] = rows_first(grid.matrix)
    return matrix


def _packed(path: Path, data: bytes) -> bytes:
    return gzip.compress(data, mtime=0) if path.name.lower().endswith(".gz") else data
