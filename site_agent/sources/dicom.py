"""DICOM: what a picture archive hands out, in folders of any depth and files of any name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.sources.dicom_facts import facts_of
from site_agent.sources.dicom_file import FIRST_BYTES, looks_like_dicom, read_dicom, sheltered
from site_agent.sources.dicom_pixels import check_pixels, layout_of, shown_frames, stored_frames
from site_agent.sources.source import Item, Opened, Refused, Relation, check_file
from site_agent.sources.walk import name_below, walk

LOOKED_AT = 32  # files
DIRECTORY = "DICOMDIR"


@dataclass(frozen=True)
class DicomSource:
    """Single files and folders; patients, names and UIDs are the hospital's until the image is taken in."""

    name: str = "dicom"
    about: str = "DICOM images and clips, as a picture archive exports them: a folder of any depth, or one file"
    labels: tuple[tuple[str, str, Relation], ...] = ()
    needs_sector: bool = True

    def recognises(self, root: Path) -> bool:
        """A DICOM file, or a folder with a DICOMDIR or one among its first few files."""
        if (root / DIRECTORY).is_file():
            return True
        first = islice((path for path in _listed(root) if isinstance(path, Path)), LOOKED_AT)
        return any(not _refusal(path) for path in first)

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """Every file, folder by folder in the order of names; no header is read."""
        for found in _listed(root):
            if isinstance(found, Refused):
                yield found
                continue
            name, reason = name_below(root, found), _refusal(found)
            yield Refused(name, found, reason) if reason else Item(name, found.absolute())

    def open(self, item: Item) -> Opened:
        """The header is read, the place of every frame is known, and nothing is decoded.

        Raises:
            DataError: as of `Source.open`.
        """
        return open_dicom(item.path)


def open_dicom(path: Path) -> Opened:
    """The file; `Facts.header` and the rest identify a patient until they are de-identified.

    Raises:
        DataError: as of `Source.open`.
    """
    dicom = read_dicom(path)
    with sheltered("is damaged: its header makes no sense"):
        layout = layout_of(dicom)
        facts = facts_of(dicom, layout)
    check_pixels(dicom, layout)
    count = None if layout.video else layout.frames
    return Opened(count, moving=layout.frames > 1, facts=facts, frames=lambda: shown_frames(dicom, layout))


def decoded(path: Path) -> Iterator[NDArray[np.generic]]:
    """Stored values frame by frame, before palettes and windows; colours are RGB.

    Raises:
        DataError: as of `Source.open`.
    """
    dicom = read_dicom(path)
    yield from stored_frames(dicom, layout_of(dicom))


def _listed(root: Path) -> Iterator[Path | Refused]:
    """Files below a folder, but for hidden ones and DICOMDIR; or the one file."""
    if not root.is_dir():
        yield root
        return
    for found in walk(root):
        path = found.path if isinstance(found, Refused) else found
        parts = path.relative_to(root).parts
        if path.name != DIRECTORY and not any(part.startswith(".") for part in parts):
            yield found


def _refusal(path: Path) -> str:
    """Why a file cannot be an item; "" where it may be one."""
    try:
        check_file(path)
        with path.open("rb") as file:
            return "" if looks_like_dicom(file.read(FIRST_BYTES)) else "is not DICOM"
    except DataError as error:
        return error.what
    except OSError as error:
        return f"cannot be read ({error.strerror})"
