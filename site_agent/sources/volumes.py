"""Frames that lie in a file as plain numbers, one after another: what MetaImage and NIfTI have in common.

One frame at a time is in memory, and no more is taken out of a compressed file than its header's dimensions ask for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.sources.images import gray_levels
from site_agent.sources.source import Annotation, Facts, Opened, Pixels

Values = NDArray[Any]
DEFLATE = 1040  # no byte of zlib's or gzip's becomes more than so many (https://zlib.net/zlib_tech.html: 1032)
CHANNELS = (1, 3, 4)  # grey, colours, colours with opacity


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many, none at the end."""


@dataclass(frozen=True)
class Volume:
    """Frames in files, as a header describes them.

    Attributes:
        count, height, width: of the frames.
        channels: values of a pixel.
        element: what a value is, byte order included.
        parts: each opens bytes at the first pixel of equally many frames.
        spacing_mm: height and width of a pixel.
        slope, intercept: from stored values to those that are meant.
        encoding: for a person.
        doubts: on what the header says.
    """

    count: int
    height: int
    width: int
    channels: int
    element: np.dtype[Any]
    parts: tuple[Callable[[], AbstractContextManager[Readable]], ...]
    spacing_mm: tuple[float, float] | None = None
    slope: float = 1.0
    intercept: float = 0.0
    encoding: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    @property
    def frame_bytes(self) -> int:
        """Length of a frame."""
        return self.height * self.width * self.channels * self.element.itemsize

    def values(self) -> Iterator[Values]:
        """Frames as they are stored: (H, W) or (H, W, 3).

        Raises:
            DataError: there are fewer than the header says, or the file is damaged.
        """
        number = 0
        for part in self.parts:
            for data in self._read(part, number):
                yield self._frame(data)
                number += 1

    def _read(self, part: Callable[[], AbstractContextManager[Readable]], first: int) -> Iterator[bytes]:
        number = first
        try:
            with part() as stream:
                for number in range(first, first + self.count // len(self.parts)):
                    data = _exactly(stream, self.frame_bytes)
                    if len(data) < self.frame_bytes:
                        raise DataError(f"is cut short at frame {number}")
                    yield data
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"is damaged or cannot be read at frame {number}") from error

    def _frame(self, data: bytes) -> Values:
        frame = np.frombuffer(data, self.element)
        if self.channels == 1:
            return frame.reshape(self.height, self.width)
        return frame.reshape(self.height, self.width, self.channels)[..., :3]

    def frames(self) -> Iterator[Pixels]:
        """Eight-bit values as they are; others stretched from the least of all frames to the greatest of all.

        Raises:
            DataError: as above, or a value is not finite.
        """
        span = None if self.element == np.uint8 else self._span()
        for values in self.values():
            levels = gray_levels(values, span)
            yield 255 - levels if self.slope < 0 else levels

    def _span(self) -> tuple[float, float]:
        ends = [(float(values.min()), float(values.max())) for values in self.values()]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        if not (np.isfinite(ends).all() and np.isfinite(high - low)):
            raise DataError("holds values that are not numbers (NaN or infinite)")
        return low, high

    def labels(self) -> Iterator[Pixels]:
        """Frames as label maps, of which every value is a whole number from 0 to 255.

        Raises:
            DataError: as of `values`, or a value is none of these.
        """
        for stored in self.values():
            values = stored * self.slope + self.intercept if self._scaled else stored
            with np.errstate(invalid="ignore"):  # what is not a number is not whole either
                whole = (values >= 0) & (values <= 255) & (values == np.rint(values))
            if not whole.all():
                raise DataError("holds values that are no labels from 0 to 255")
            yield values.astype(np.uint8)

    @property
    def _scaled(self) -> bool:
        return (self.slope, self.intercept) != (1.0, 0.0)


def _exactly(stream: Readable, size: int) -> bytes:
    """So many bytes; fewer at the end of the stream."""
    parts, missing = [], size
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


class Placed(NamedTuple):
    """A volume of label maps, and the frames it is drawn on."""

    name: str
    volume: Volume
    frames: tuple[int, ...]


def misfit(mask: Volume, image: Volume, frames: Sequence[int]) -> str:
    """Why label maps cannot lie on these frames of an image; "" if they can."""
    if (mask.height, mask.width) != (image.height, image.width):
        return f"has {mask.width}x{mask.height} pixels, its image {image.width}x{image.height}"
    if mask.channels != 1:
        return f"has {mask.channels} values a pixel"
    if mask.count != len(frames):
        return f"has {mask.count} frames for {len(frames)} of its image"
    return ""


def opened(volume: Volume, facts: Facts, masks: Sequence[Placed] = ()) -> Opened:
    """A volume as an open item; what its header says is added to the facts."""

    def annotations() -> tuple[Annotation, ...]:
        return tuple(each for mask in masks for each in _annotations(mask))

    told = replace(
        facts,
        spacing_mm=volume.spacing_mm,
        encoding=volume.encoding,
        doubts=(*facts.doubts, *volume.doubts),
    )
    return Opened(volume.count, volume.count > 1, told, volume.frames, annotations)


def _annotations(mask: Placed) -> Iterator[Annotation]:
    for number, labels in zip(mask.frames, mask.volume.labels(), strict=True):
        yield Annotation(number, mask.name, "mask", labels)
