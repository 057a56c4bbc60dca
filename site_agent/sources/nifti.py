"""NIfTI: a binary header before frames in which x runs fastest, often compressed with gzip (.nii, .nii.gz).

nibabel reads the header; frames are taken from the file one by one, as no more than the header asks for.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from federated.errors import DataError
from site_agent.sources.plausible import spacing
from site_agent.sources.source import Facts, Opened, check_file, check_size
from site_agent.sources.volume_folder import Form, VolumeSource
from site_agent.sources.volumes import DEFLATE, Readable, Volume, opened

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

GZIP = b"\x1f\x8b"
HEADER_BYTES = 540  # of NIfTI-2; NIfTI-1 has 348
MAX_OFFSET = 2**24  # of the first pixel
MAX_ELEMENT = 8  # bytes of a number
MILLIMETRES: Mapping[str, float] = {"meter": 1000.0, "micron": 0.001}


def read_volume(path: Path) -> Volume:
    """The frames of a NIfTI file: its third dimension, or its fourth, counts them.

    Raises:
        DataError: it is none, or none of a form that is read, or too large or too short for what it says.
    """
    size = check_file(path)
    header, packed = _opened_header(path)
    try:
        shape, stored = header.get_data_shape(), header.get_data_dtype()
        slope, intercept = header.get_slope_inter()
        offset = header.get_data_offset()
        unit = header.get_xyzt_units()[0]
    except Exception as error:  # nibabel raises what each of its parts raises
        raise DataError("is damaged: its header makes no sense") from error
    width, height, count = _dimensions(shape)
    element, channels = _element(stored)
    wanted = width * height * count * channels * element.itemsize
    _check_length(size, wanted, offset, packed=packed)
    doubts: list[str] = []
    return Volume(
        count,
        height,
        width,
        channels,
        element,
        (partial(_frames_of, path, offset, packed=packed),),
        spacing_mm=spacing([abs(float(side)) * MILLIMETRES.get(unit, 1.0) for side in header["pixdim"][1:3]], doubts),
        slope=1.0 if slope is None else float(slope),
        intercept=0.0 if intercept is None else float(intercept),
        encoding={"format": "NIfTI", "element": str(stored), "compression": "gzip" if packed else "none"},
        doubts=tuple(doubts),
    )


def read_header(path: Path) -> Nifti1Header:
    """The header alone, as nibabel has it.

    Raises:
        DataError: as of `read_volume`.
    """
    return _opened_header(path)[0]


def _opened_header(path: Path) -> tuple[Nifti1Header, bool]:
    """The header, and whether the file is compressed."""
    nifti1, nifti2 = _headers()
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
        with _frames_of(path, 0, packed=packed) as stream:
            data = stream.read(HEADER_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("is damaged or cannot be read") from error
    for kind, length, magic in ((nifti1, 348, data[344:348]), (nifti2, 540, data[4:8])):
        if length.to_bytes(4, "little") == data[:4] or length.to_bytes(4, "big") == data[:4]:
            if magic[:3] in {b"ni1", b"ni2"}:
                raise DataError("keeps its frames in a second file (.img), which is not read")
            if len(data) >= length and magic[:3] in {b"n+1", b"n+2"}:
                return kind(data[:length], check=False), packed
    raise DataError("is no NIfTI file")


def _headers() -> tuple[Any, Any]:
    try:
        from nibabel import Nifti1Header, Nifti2Header
    except ImportError as error:
        raise DataError("needs nibabel to be read", cure="pip install 'consilium[nifti]'") from error
    return Nifti1Header, Nifti2Header


def _dimensions(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Width, height and number of frames."""
    counts = [size for size in shape[2:] if size != 1]
    if len(shape) < 2 or len(counts) > 1:
        raise DataError("has neither two nor three dimensions")
    width, height, count = int(shape[0]), int(shape[1]), int((*counts, 1)[0])
    check_size(width, height, count)
    return width, height, count


def _element(stored: np.dtype[Any]) -> tuple[np.dtype[Any], int]:
    """What a value is, and values of a pixel."""
    if stored.names:
        return np.dtype(np.uint8), len(stored.names)
    if stored.kind not in "iuf" or stored.itemsize > MAX_ELEMENT:
        raise DataError("has values of a type that is not read")
    return stored, 1


def _check_length(size: int, wanted: int, offset: int, *, packed: bool) -> None:
    if not 0 <= offset <= MAX_OFFSET:
        raise DataError("is damaged: its first pixel lies nowhere")
    if packed and offset + wanted > DEFLATE * size:
        raise DataError(f"says it has {wanted} bytes, more than its {size} compressed ones can become")
    if not packed and offset + wanted > size:
        raise DataError(f"has {max(0, size - offset)} bytes of data where its header asks for {wanted}")


@contextmanager
def _frames_of(path: Path, offset: int, *, packed: bool) -> Iterator[Readable]:
    with gzip.open(path) if packed else path.open("rb") as file:
        file.seek(offset)
        yield file


def open_nifti(path: Path) -> Opened:
    """One file on its own.

    Raises:
        DataError: as of `Source.open`.
    """
    return opened(read_volume(path), Facts())


FORM = Form("NIfTI file", (".nii.gz", ".nii"), read_volume)


class NiftiSource(VolumeSource):
    """Clips and stills, with what lies beside them."""

    name = "nifti"
    about = "NIfTI files (.nii, .nii.gz), with label maps beside them"
    form = FORM
