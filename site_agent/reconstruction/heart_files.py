"""A reconstructed heart as a file: a mesh as STL or PLY, its probabilities as NIfTI."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from federated.errors import ConsiliumError
from federated.files import write_whole
from shared_models.reconstruction.surface import ply_bytes, stl_bytes
from site_agent.reconstruction.heart import Heart


def write_heart(path: Path, heart: Heart) -> None:
    """The file, in the form of its suffix, whole or not at all.

    Raises:
        ConsiliumError: an unknown suffix, a mesh that is not closed, or a file that cannot be written.
    """
    check_form(path)
    try:
        data = FORMS[_suffix(path)](heart)
    except ValueError as error:
        raise ConsiliumError(str(error), where=str(path), cure="try another --threshold") from error
    write_whole(path, data)


def check_forms(paths: Sequence[Path]) -> None:
    """Refuses, before anything is computed, files that cannot be written.

    Raises:
        ConsiliumError: none, one twice, or one in a form that there is none of.
    """
    for number, path in enumerate(paths):
        check_form(path)
        if path in paths[:number]:
            raise ConsiliumError("is to be written twice", where=str(path), cure="name each file once")


def check_form(path: Path) -> None:
    """Refuses a suffix that stands for no form, and a folder that is not there.

    Raises:
        ConsiliumError: it is one.
    """
    if _suffix(path) not in FORMS:
        raise ConsiliumError(f"ends in none of {' '.join(FORMS)}", where=str(path), cure="as in heart.stl")
    require_folder(path)


def require_folder(path: Path) -> None:
    """Refuses a file whose folder is not there.

    Raises:
        ConsiliumError: it is not.
    """
    if not path.parent.is_dir():
        raise ConsiliumError("there is no such folder", where=str(path.parent), cure="make it first")


def nifti_bytes(heart: Heart) -> bytes:
    """Probabilities, compressed, on a grid in millimetres whose axes are the heart's own and no scanner's.

    Raises:
        ConsiliumError: nibabel is not installed.
    """
    try:
        import nibabel
    except ImportError as error:
        cure = "pip install 'consilium[nifti]'"
        raise ConsiliumError("needs nibabel to be written", where=".nii.gz", cure=cure) from error
    image = nibabel.Nifti1Image(heart.probabilities, np.diag([heart.voxel_mm] * 3 + [1.0]))
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"axes: to the lateral wall, to the anterior wall, to the apex"
    return gzip.compress(image.to_bytes(), mtime=0)


def _suffix(path: Path) -> str:
    return "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


FORMS: Mapping[str, Callable[[Heart], bytes]] = {
    ".stl": lambda heart: stl_bytes(heart.mesh),
    ".ply": lambda heart: ply_bytes(heart.mesh),
    ".nii.gz": nifti_bytes,
}
