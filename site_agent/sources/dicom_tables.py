"""From stored values to eight bits of grey or colour: palettes, rescaling, windows (PS3.3, C.7.6.3, C.7.9, C.11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

COLOURS = ("Red", "Green", "Blue")
FULL = 2**16  # entries of a table whose descriptor says 0
DISCRETE, LINEAR, INDIRECT = 0, 1, 2
MAX_SEGMENTS = 2**17
NO_PALETTE = "is PALETTE COLOR without a whole palette"


@dataclass(frozen=True)
class Table:
    """What stands for each stored value.

    Attributes:
        first: the stored value of the first entry; lower ones take the first entry, higher ones than all the last.
        entries: (N,) grey levels or (N, 3) colours, uint8.
    """

    first: int
    entries: NDArray[np.uint8]

    def __call__(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """(H, W) stored values as (H, W) or (H, W, 3)."""
        if self.first == 0 and values.dtype == np.uint8 and len(self.entries) >= 256:
            return self.entries[values]
        index = np.clip(values.astype(np.int32) - self.first, 0, len(self.entries) - 1)
        return self.entries[index]


def grey(header: Dataset, bits: int, *, signed: bool) -> Table:
    """Grey levels of MONOCHROME1 and MONOCHROME2: rescaled, through the window or table of the header, to eight bits.

    Eight bits without sign are taken as they are, whatever window they are to be shown in.

    Args:
        header: of the file.
        bits: stored.
        signed: whether stored values are two's complement.

    Raises:
        DataError: rescaling or a table of the header makes no sense.
    """
    from pydicom.pixels import apply_modality_lut

    first = -(2 ** (bits - 1)) if signed else 0
    stored = np.arange(first, first + 2**bits)
    if bits == 8 and not signed:
        shown = stored / 255
    else:
        shown = _shown(header, np.asarray(apply_modality_lut(stored, header), np.float64))
    if not np.isfinite(shown).all():
        raise DataError("has a window or a table that makes no sense")
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        shown = 1 - shown
    return Table(first, np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8))


def _shown(header: Dataset, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brightness from 0 to 1 of all the values there can be, in rising order of what is stored."""
    from pydicom.pixels import apply_voi

    tables = header.get("VOILUTSequence")
    if tables:
        bits = int(tables[0].LUTDescriptor[2])
        return np.asarray(apply_voi(values.astype(np.int64), header), np.float64) / (2**bits - 1)
    centre, width = _first_number(header, "WindowCenter"), _first_number(header, "WindowWidth")
    if centre is None or width is None:
        low, high = values.min(), values.max()
        return (values - low) / max(high - low, 1)
    return _windowed(values, centre, width, str(header.get("VOILUTFunction") or "LINEAR"))


def _first_number(header: Dataset, keyword: str) -> float | None:
    numbers = header.get(keyword)
    if numbers is None or numbers == "":
        return None
    return float(numbers) if isinstance(numbers, int | float | str) else float(numbers[0])


def _windowed(values: NDArray[np.float64], centre: float, width: float, function: str) -> NDArray[np.float64]:
    """PS3.3, C.11.2.1.2 and C.11.2.1.3."""
    if width < 1:
        raise DataError("has a window or a table that makes no sense")
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    if width == 1:
        return (values > centre - 0.5).astype(np.float64)
    return (values - (centre - 0.5)) / (width - 1) + 0.5


def palette(header: Dataset) -> Table:
    """The colours of PALETTE COLOR.

    Raises:
        DataError: a table is missing, or not as its descriptor says.
    """
    columns, firsts = [], set()
    for colour in COLOURS:
        count, first, bits = _descriptor(header, f"{colour}PaletteColorLookupTableDescriptor")
        columns.append(_column(header, colour, count, bits))
        firsts.add(first)
    if len(firsts) != 1 or len({len(column) for column in columns}) != 1:
        raise DataError(NO_PALETTE)
    return Table(firsts.pop(), np.stack(columns, axis=-1))


def _descriptor(header: Dataset, keyword: str) -> tuple[int, int, int]:
    """Number of entries, first stored value, bits of an entry."""
    numbers = header.get(keyword)
    if numbers is None or isinstance(numbers, int | str | bytes) or len(numbers) != 3:
        raise DataError(NO_PALETTE)
    count, first, bits = (int(number) for number in numbers)
    if bits not in {8, 16}:
        raise DataError(NO_PALETTE)
    signed = first - FULL if header.get("PixelRepresentation") == 1 and first >= FULL // 2 else first
    return count % FULL or FULL, signed, bits


def _column(header: Dataset, colour: str, count: int, bits: int) -> NDArray[np.uint8]:
    data = header.get(f"{colour}PaletteColorLookupTableData")
    segments = header.get(f"Segmented{colour}PaletteColorLookupTableData")
    if isinstance(data, bytes):
        values = _words(header, data, 8 if len(data) in {count, count + count % 2} and bits == 8 else 16)
    elif isinstance(segments, bytes):
        values = _expanded(_words(header, segments, bits), count, bits)
    else:
        raise DataError(NO_PALETTE)
    if len(values) < count:
        raise DataError(NO_PALETTE)
    entries = values[:count].astype(np.int64)
    deep = entries.max() > 255  # sixteen bits are promised at times where eight are meant
    return (entries >> 8 if deep else entries).astype(np.uint8)


def _words(header: Dataset, data: bytes, bits: int) -> NDArray[np.int64]:
    if bits == 8:
        return np.frombuffer(data, np.uint8).astype(np.int64)
    order = "<" if header.original_encoding[1] is not False else ">"
    return np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2").astype(np.int64)


def _expanded(words: NDArray[np.int64], count: int, bits: int) -> NDArray[np.int64]:
    """A segmented table (PS3.3, C.7.9.2), up to the entries that are asked for."""
    values: list[int] = []
    starts: list[int] = []
    place, left = 0, MAX_SEGMENTS
    while place + 1 < len(words) and len(values) < count:
        kind, length = int(words[place]), int(words[place + 1])
        if kind == INDIRECT:
            chosen = _chosen(words, place, starts, bits)
            place += 6 if bits == 8 else 4
        else:
            chosen = [place]
            starts.append(place)
            place += 2 + length if kind == DISCRETE else 3
        left -= 1 + len(chosen)
        if left < 0:
            raise DataError(NO_PALETTE)
        for start in chosen:
            values.extend(_segment(words, start, values))
    return np.array(values[:count], np.int64)


def _segment(words: NDArray[np.int64], place: int, before: Sequence[int]) -> list[int]:
    """The values of a segment: listed, or in a line from the last one before it."""
    kind, length = int(words[place]), int(words[place + 1])
    if kind == DISCRETE:
        return [int(word) for word in words[place + 2 : place + 2 + length]]
    if kind != LINEAR or not before or place + 2 >= len(words):
        raise DataError(NO_PALETTE)
    return [int(step) for step in np.rint(np.linspace(before[-1], int(words[place + 2]), length + 1)[1:])]


def _chosen(words: NDArray[np.int64], place: int, starts: Sequence[int], bits: int) -> Sequence[int]:
    """Where the segments begin that an indirect one repeats: so many, from an offset in bytes on."""
    parts = words[place + 2 : place + (6 if bits == 8 else 4)]
    offset = sum(int(part) << (bits * number) for number, part in enumerate(parts)) * 8 // bits
    if offset not in starts:
        raise DataError(NO_PALETTE)
    first = starts.index(offset)
    return starts[first : first + int(words[place + 1])]
