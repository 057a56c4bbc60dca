"""Encapsulated pixels (PS3.5, A.4): where the bytes of each frame lie, and what size their codestream claims."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from federated.errors import DataError

ITEM, DELIMITER = 0xFFFEE000, 0xFFFEE0DD
MAX_FRAGMENTS = 10**6
END_OF_IMAGE, TAIL = b"\xff\xd9", 10  # fragments are padded
JPEG, JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # ISO 10918-1, table B.1; F7 is JPEG-LS
BARE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
MAX_WRAPPING = 4096  # of a JPEG 2000 codestream in a JP2 file


@dataclass(frozen=True)
class Fragment:
    """Bytes of an item: offset in the stream and number."""

    offset: int
    length: int


Parts = tuple[Fragment, ...]


@dataclass(frozen=True)
class Codestream:
    """What a compressed image says of itself."""

    width: int
    height: int
    samples: int
    bits: int


def frame_parts(stream: BinaryIO, offset: int, frames: int) -> list[Parts]:
    """The fragments of every frame.

    Args:
        stream: that they lie in.
        offset: of the first item, the basic offset table.
        frames: how many the header says there are.

    Raises:
        DataError: the items are damaged or cut off, or there are fewer frames than said.
    """
    table, *fragments = items(stream, offset)
    if len(fragments) >= frames == 1:
        return [tuple(fragments)]
    if len(fragments) == frames:
        return [(fragment,) for fragment in fragments]
    if len(fragments) < frames:
        raise DataError(f"says it has {frames} frames, but holds {len(fragments)}")
    starts = _listed(stream, table, fragments, frames) or _after_ends(stream, fragments)
    if len(starts) < frames:
        raise DataError(f"says it has {frames} frames, but {len(starts)} can be told apart")
    bounds = [*starts, len(fragments)]
    return [tuple(fragments[a:b]) for a, b in pairwise(bounds[: frames + 1])]


def items(stream: BinaryIO, offset: int) -> list[Fragment]:
    """All items up to the delimiter, or to the end of the stream where that is missing.

    Raises:
        DataError: something else lies there, or an item goes on behind the end.
    """
    size = stream.seek(0, 2)
    found: list[Fragment] = []
    while True:
        stream.seek(offset)
        head = stream.read(8)
        if found and len(head) < 8:
            return found
        group, element, length = struct.unpack("<HHI", head) if len(head) == 8 else (0, 0, 0)
        if found and (group << 16 | element) == DELIMITER:
            return found
        if (group << 16 | element) != ITEM or len(found) > MAX_FRAGMENTS:
            raise DataError("is damaged: its compressed pixels are no list of items")
        if offset + 8 + length > size:
            raise DataError("is cut off in the middle of its compressed pixels")
        found.append(Fragment(offset + 8, length))
        offset += 8 + length


def joined(stream: BinaryIO, parts: Parts) -> bytes:
    """The bytes of a frame."""
    return b"".join(_bytes(stream, part.offset, part.length) for part in parts)


def _bytes(stream: BinaryIO, offset: int, length: int) -> bytes:
    stream.seek(offset)
    return stream.read(length)


def _listed(stream: BinaryIO, table: Fragment, fragments: Sequence[Fragment], frames: int) -> list[int]:
    """Numbers of first fragments as the basic offset table has them; none where it makes no sense."""
    if table.length != 4 * frames:
        return []
    first = fragments[0].offset
    places = {fragment.offset - first: number for number, fragment in enumerate(fragments)}
    offsets = struct.unpack(f"<{frames}I", _bytes(stream, table.offset, table.length))
    starts = [places.get(offset, -1) for offset in offsets]
    increasing = all(a < b for a, b in pairwise(starts))
    return starts if starts[0] == 0 and increasing else []


def _after_ends(stream: BinaryIO, fragments: Sequence[Fragment]) -> list[int]:
    """Numbers of the fragments that come first, or behind one that ends an image."""
    starts = [0]
    for number, fragment in enumerate(fragments[:-1]):
        tail = min(fragment.length, TAIL)
        if END_OF_IMAGE in _bytes(stream, fragment.offset + fragment.length - tail, tail):
            starts.append(number + 1)
    return starts


def codestream(data: bytes) -> Codestream | None:
    """What JPEG, JPEG-LS or JPEG 2000 says of its size; None where it is none of them."""
    try:
        if data.startswith(JPEG):
            return _jpeg(data)
        start = data.find(JPEG_2000, 0, MAX_WRAPPING)
        return _jpeg_2000(data, start) if start >= 0 else None
    except (struct.error, IndexError):
        return None


def _jpeg(data: bytes) -> Codestream | None:
    place = 2
    while data[place] == 0xFF:
        marker = data[place + 1]
        if marker in START_OF_FRAME:
            bits, height, width, samples = struct.unpack_from(">BHHB", data, place + 4)
            return Codestream(width, height, samples, bits)
        if marker == 0xFF:
            place += 1
        elif marker in BARE:
            place += 2
        else:
            place += 2 + struct.unpack_from(">H", data, place + 2)[0]
    return None


def _jpeg_2000(data: bytes, start: int) -> Codestream:
    """The segment SIZ (ISO 15444-1, A.5.1)."""
    x1, y1, x0, y0 = struct.unpack_from(">4I", data, start + 8)
    samples, bits = struct.unpack_from(">HB", data, start + 40)
    return Codestream(x1 - x0, y1 - y0, samples, (bits & 0x7F) + 1)
