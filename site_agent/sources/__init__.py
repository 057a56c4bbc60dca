"""Readers of image formats, one file a format. A new one is its file, its test and one line in `READERS`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.sources.images import CineReader, StillReader


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
