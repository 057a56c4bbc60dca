"""MetaImage: a header of text beside raw or zlib-compressed bytes (``.mhd``), or in one file with them (``.mha``).

ITK's own reader comes with a library of 50 MB; what ultrasound machines write of the format is below.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from federated.errors import DataError
from site_agent.sources.plausible import spacing
from site_agent.sources.source import check_file, check_size
from site_agent.sources.volumes import CHANNELS, DEFLATE, Readable, Volume

HEADER_BYTES = 2**20
ELEMENTS = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


class Inflated:
    """A zlib file that gives no more than it is asked for."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path, self._offset = path, offset

    def __enter__(self) -> Inflated:
        self._file: BinaryIO = self._path.open("rb")
        self._file.seek(self._offset)
        self._zlib = zlib.decompressobj()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, size: int, /) -> bytes:
        """At most so many bytes, none at the end of the stream."""
        while not self._zlib.eof:
            packed = self._zlib.unconsumed_tail or self._file.read(2**16)
            data = self._zlib.decompress(packed, size)
            if data or not packed:
                return data
        return b""


@dataclass(frozen=True)
class Header:
    """What stands before the bytes.

    Attributes:
        path: of the file it stands in.
        said: values by key.
        files: names below ``ElementDataFile = LIST``.
        end: where it ends in the file.
    """

    path: Path
    said: Mapping[str, str]
    files: tuple[str, ...]
    end: int

    def numbers(self, key: str) -> list[float]:
        """Finite ones; none where it is not said.

        Raises:
            DataError: something else stands there.
        """
        try:
            found = [float(word) for word in self.said.get(key, "").split()]
        except ValueError:
            found = [np.nan]
        if not np.isfinite(found).all():
            raise DataError(f"says no numbers for {key}")
        return found

    def true(self, *keys: str) -> bool:
        """Whether any of these keys says so."""
        return any(self.said.get(key, "").lower() in {"true", "1", "yes"} for key in keys)


def read_header(path: Path) -> Header:
    """The header of a MetaImage, which ends with ``ElementDataFile``.

    Raises:
        DataError: it cannot be read, or is none.
    """
    check_file(path)
    try:
        with path.open("rb") as file:
            data = file.read(HEADER_BYTES)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from error
    said: dict[str, str] = {}
    place = 0
    while place < len(data) and "ElementDataFile" not in said:
        end = data.find(b"\n", place) % (len(data) + 1)
        key, equals, value = data[place:end].decode("latin-1").partition("=")
        if not equals and key.strip():
            break
        said[key.strip()] = value.strip()
        place = end + 1
    if not {"ElementDataFile", "DimSize", "ElementType"} <= said.keys():
        raise DataError("is no MetaImage header: DimSize, ElementType or ElementDataFile is missing")
    names = data[place:].decode("latin-1").split("\n") if said["ElementDataFile"].startswith("LIST") else []
    return Header(path, said, tuple(name.strip() for name in names if name.strip()), place)


def read_volume(path: Path) -> Volume:
    """The frames of a MetaImage: a third dimension counts them.

    Raises:
        DataError: it is none, or none of a form that is read, or too large or too short for what it says.
    """
    header = read_header(path)
    width, height, count = _dimensions(header)
    channels = int((header.numbers("ElementNumberOfChannels") or [1.0])[0])
    if channels not in CHANNELS:
        raise DataError(f"has {channels} values a pixel, read are 1, 3 and 4")
    element, frame = _element(header), width * height * channels
    doubts: list[str] = []
    sizes = header.numbers("ElementSpacing") or header.numbers("ElementSize")
    return Volume(
        count,
        height,
        width,
        channels,
        element,
        _parts(header, frame * element.itemsize, count),
        spacing_mm=spacing(sizes, doubts) if sizes else None,
        encoding={
            "format": "MetaImage",
            "element": header.said["ElementType"],
            "compression": "zlib" if header.true("CompressedData") else "none",
        },
        doubts=tuple(doubts),
    )


def _dimensions(header: Header) -> tuple[int, int, int]:
    sizes = header.numbers("DimSize")
    if len(sizes) not in {2, 3} or header.numbers("NDims") not in ([], [float(len(sizes))]):
        raise DataError("has neither two nor three dimensions")
    if any(size != int(size) for size in sizes):
        raise DataError("says no whole numbers for DimSize")
    width, height, count = (*(int(size) for size in sizes), 1)[:3]
    check_size(width, height, count)
    return width, height, count


def _element(header: Header) -> np.dtype[Any]:
    kind = ELEMENTS.get(header.said["ElementType"])
    if kind is None:
        raise DataError("has values of a type that is not read", cure=f"read are {', '.join(ELEMENTS)}")
    if header.said.get("BinaryData", "True").lower() in {"false", "0", "no"}:
        raise DataError("has its values as text, which is not read", cure="save it with BinaryData = True")
    big = header.true("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    return np.dtype(f"{'>' if big else '<'}{kind}")


def _parts(header: Header, frame_bytes: int, count: int) -> tuple[Callable[[], AbstractContextManager[Readable]], ...]:
    name = header.said["ElementDataFile"]
    if name == "LOCAL":
        return (_part(header, header.path, header.end, count * frame_bytes),)
    if not name.startswith("LIST"):
        return (_part(header, _beside(header.path, name), 0, count * frame_bytes),)
    if len(header.files) != count:
        raise DataError(f"lists {len(header.files)} files for {count} frames")
    return tuple(_part(header, _beside(header.path, each), 0, frame_bytes) for each in header.files)


def _beside(path: Path, name: str) -> Path:
    """A data file in the header's own folder or below it."""
    inside = PureWindowsPath(name)  # which takes both slashes for what they are
    if not name.isprintable() or inside.anchor or ".." in inside.parts:
        raise DataError("names a data file outside its own folder")
    return path.parent.joinpath(*inside.parts)


def _part(header: Header, path: Path, start: int, wanted: int) -> Callable[[], AbstractContextManager[Readable]]:
    """Opens so many bytes of a file, whose length is held against them first."""
    try:
        size = check_file(path)
    except DataError as error:
        raise DataError(f"its data file {error.what}") from error
    skipped = int((header.numbers("HeaderSize") or [0.0])[0])
    compressed = header.true("CompressedData")
    offset = max(0, size - wanted) if skipped < 0 and not compressed else start + max(0, skipped)
    there = size - offset
    if compressed and wanted > DEFLATE * there:
        raise DataError(f"says it has {wanted} bytes, more than its {there} compressed ones can become")
    if not compressed and there != wanted:
        raise DataError(f"has {there} bytes of data where its header asks for {wanted}")
    return partial(Inflated, path, offset) if compressed else partial(_raw, path, offset)


def _raw(path: Path, offset: int) -> BinaryIO:
    file = path.open("rb")
    file.seek(offset)
    return file
