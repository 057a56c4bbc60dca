"""One file of any form that is read, told by its first bytes and, where these say nothing, by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from federated.errors import DataError
from site_agent.sources.images import CINES, STILLS, open_cine, open_still
from site_agent.sources.source import Opened, check_file

FIRST_BYTES = 132
Opener = Callable[[Path], Opened]
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
METAIMAGE_SUFFIXES = frozenset({".mhd", ".mha"})
NIFTI_SUFFIXES = frozenset({".nii", ".gz"})
SUFFIXES = STILLS | CINES | DICOM_SUFFIXES | METAIMAGE_SUFFIXES | NIFTI_SUFFIXES


def open_file(path: Path) -> Opened:
    """The file, open.

    Raises:
        DataError: as of `Source.open`; no reader takes it.
    """
    check_file(path)
    return opener_of(path)(path)


def opener_of(path: Path) -> Opener:
    """What reads a file. The contents count: a PNG file called ``a.avi`` is read as PNG.

    Raises:
        DataError: no reader takes it, or it cannot be read.
    """
    by_content = _by_content(_head(path))
    if by_content is not None:
        return by_content
    for suffixes, opener in _BY_NAME:
        if path.suffix.lower() in suffixes:
            return opener
    raise DataError(f"files ending in '{path.suffix}' are not read", cure=f"known are {' '.join(sorted(SUFFIXES))}")


def told_by_contents(path: Path) -> bool:
    """Whether the first bytes say what a file is.

    Raises:
        DataError: it cannot be read.
    """
    return _by_content(_head(path)) is not None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FIRST_BYTES)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from error


def _by_content(head: bytes) -> Opener | None:
    if head[128:132] == b"DICM":
        return _open_dicom
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")):
        return open_still
    if head.startswith((b"GIF8", b"\0\0\1\xba", b"\0\0\1\xb3", b"\x1a\x45\xdf\xa3")) or head[4:8] == b"ftyp":
        return open_cine
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return open_cine
    return None


def _open_dicom(path: Path) -> Opened:
    from site_agent.sources.dicom import open_dicom

    return open_dicom(path)


def _open_metaimage(path: Path) -> Opened:
    from site_agent.sources.metaimage import open_metaimage

    return open_metaimage(path)


def _open_nifti(path: Path) -> Opened:
    from site_agent.sources.nifti import open_nifti

    return open_nifti(path)


_BY_NAME: tuple[tuple[frozenset[str], Opener], ...] = (
    (STILLS, open_still),
    (CINES, open_cine),
    (DICOM_SUFFIXES, _open_dicom),
    (METAIMAGE_SUFFIXES, _open_metaimage),
    (NIFTI_SUFFIXES, _open_nifti),
)
