"""Images out of files of any format. A new format is its file, its test and one line in `READERS`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.sources.images import CineReader, StillReader

FRAMES_OF_A_CINE = 8


class Reader(Protocol):
    """Reads the files of some suffixes; `cine` says whether one file holds numbered frames."""

    suffixes: frozenset[str]
    cine: bool

    def count(self, data: bytes) -> int:
        """Number of frames of a file; a cine file is decoded to its end.

        Raises:
            DataError: it cannot be read; `what` is the reason.
        """

    def read(self, data: bytes, frames: Sequence[int]) -> list[NDArray[np.uint8]]:
        """The frames asked for, (H, W) grey levels each; a still has but one, whatever its number.

        Raises:
            DataError: as above, or there is no such frame.
        """


READERS: tuple[Reader, ...] = (StillReader(), CineReader())


def reader_of(path: Path) -> Reader:
    """The reader of a file, by its suffix.

    Raises:
        DataError: no reader takes this suffix.
    """
    for reader in READERS:
        if path.suffix.lower() in reader.suffixes:
            return reader
    known = " ".join(sorted(suffix for reader in READERS for suffix in reader.suffixes))
    raise DataError(f"files ending in '{path.suffix}' are not read", where=str(path), cure=f"known are {known}")


@dataclass(frozen=True)
class Picture:
    """One image of a file.

    Attributes:
        asked: position, among what was asked for, of what it answers.
        frame: number in a cine file, from 0.
        part: ``#`` and the frame's number in a cine file, else nothing; for names.
        sha256: of the file's bytes, or of their digest and the frame's number in a cine file.
        file_sha256: of the file's bytes.
        pixels: (H, W) grey levels.
    """

    asked: int
    frame: int
    part: str
    sha256: str
    file_sha256: str
    pixels: NDArray[np.uint8]


def pictures(path: Path, frames: Sequence[int | None]) -> list[Picture]:
    """The images of a file that are asked for by number; None asks for a still, or for some frames of a cine file.

    These are up to `FRAMES_OF_A_CINE`, evenly spaced from the first to the last.

    Raises:
        DataError: the file cannot be read, or has no such frame; `what` is the reason.
    """
    reader = reader_of(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path)) from error
    some = _evenly(reader.count(data)) if None in frames else []
    wanted = [(asked, number) for asked, frame in enumerate(frames) for number in (some if frame is None else [frame])]
    images = reader.read(data, [number for _, number in wanted])
    whole = hashlib.sha256(data).hexdigest()
    return [
        Picture(asked, number, *_part(whole, number if reader.cine else None), whole, pixels)
        for (asked, number), pixels in zip(wanted, images, strict=True)
    ]


def _part(whole: str, frame: int | None) -> tuple[str, str]:
    """Name and digest of one image of a file, `frame` None for a still."""
    return ("", whole) if frame is None else (f"#{frame}", hashlib.sha256(f"{whole}:{frame}".encode()).hexdigest())


def _evenly(count: int) -> list[int]:
    return [int(number) for number in np.rint(np.linspace(0, count - 1, min(count, FRAMES_OF_A_CINE)))]
