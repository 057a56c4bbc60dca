"""Still images through Pillow and cine files through PyAV, as grey levels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Gray = NDArray[np.uint8]

MIN_SIDE = 8
HEADER_SLACK = 2  # a container may count frames that its edit list or codec delay drops


class StillReader:
    """PNG, JPEG, BMP and TIFF."""

    suffixes = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
    cine = False

    def count(self, data: bytes) -> int:  # noqa: ARG002  # the same shape as for a cine file
        """Always 1."""
        return 1

    def read(self, data: bytes, frames: Sequence[int]) -> list[Gray]:
        """The image, once for each number asked for."""
        return [gray_levels(decode_still(data))] * len(frames)


class CineReader:
    """AVI, MP4, MPEG, MOV and GIF."""

    suffixes = frozenset({".avi", ".mp4", ".m4v", ".mpeg", ".mpg", ".mov", ".gif"})
    cine = True

    def count(self, data: bytes) -> int:
        """Number of frames, all of them decoded."""
        return sum(1 for _ in decode_cine(data))

    def read(self, data: bytes, frames: Sequence[int]) -> list[Gray]:
        """The frames asked for, in that order."""
        wanted, found = set(frames), {}
        for number, frame in enumerate(decode_cine(data)):
            if number in wanted:
                found[number] = frame.to_ndarray(format="gray")
        missing = wanted - set(found)
        if missing:
            raise DataError(f"has no frame {min(missing)}")
        return [found[number] for number in frames]


def decode_still(data: bytes) -> NDArray[Any]:
    """A still as (H, W) values of the file's own depth, colour turned to luma.

    Raises:
        DataError: not an image, cut short, or so large that it may be an attack on memory.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                upright = ImageOps.exif_transpose(image)
                return np.asarray(_one_channel(upright))
    except Exception as error:  # a decoder raises whatever broken bytes lead it to
        raise DataError(f"is not a readable image ({_reason(error)})") from error


def _one_channel(image: Image) -> Image:
    deep = image.mode.startswith("I") or image.mode == "F"
    return image if deep else image.convert("L")


def gray_levels(values: NDArray[Any]) -> Gray:
    """Eight-bit values as they are; deeper ones stretched from their least to their greatest.

    Raises:
        DataError: a value is not finite.
    """
    if values.dtype == np.uint8:
        return values
    deep = values.astype(np.float64)
    if not np.isfinite(deep).all():
        raise DataError("holds values that are not numbers (NaN or infinite)")
    low, high = deep.min(), deep.max()
    scale = 255.0 / (high - low) if high > low else 0.0
    return np.rint((deep - low) * scale).astype(np.uint8)


def decode_cine(data: bytes) -> Iterator[Any]:
    """Frames of the first video stream, one after another.

    Raises:
        DataError: not a video, or cut short, or damaged.
    """
    import av

    number = 0
    try:
        with av.open(io.BytesIO(data), "r") as container:
            stream = container.streams.video[0]
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    raise DataError(f"is cut short or damaged at frame {number}")
                yield frame
                number += 1
            declared = stream.frames
    except (av.FFmpegError, ValueError, IndexError, OSError) as error:
        raise DataError(f"is not a readable video ({_reason(error)})") from error
    if number == 0:
        raise DataError("holds no frame")
    unfinished_gif = data.startswith(b"GIF8") and not data.rstrip(b"\0").endswith(b";")
    if number + HEADER_SLACK < declared or unfinished_gif:
        raise DataError(f"is cut short after {number} frames")


def check_usable(image: Gray) -> None:
    """Refuses an image that is too small to hold a texture, or that shows nothing.

    Raises:
        DataError: a side is under `MIN_SIDE` pixels, or every pixel has the same value.
    """
    height, width = image.shape
    if min(height, width) < MIN_SIDE:
        raise DataError(f"has {width}x{height} pixels, at least {MIN_SIDE}x{MIN_SIDE} are needed")
    if image.min() == image.max():
        raise DataError("is empty: every pixel has the same value")


def _reason(error: Exception) -> str:
    """What a decoder said, without the address of the buffer it read from."""
    lines = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()
    return lines[0].partition(" <_io.")[0][:120]
