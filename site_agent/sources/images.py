"""Still images through Pillow and cine files through PyAV."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.sources.source import Facts, Opened, Pixels, check_file, check_size

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane
    from av.video.stream import VideoStream
    from PIL.Image import Image

Gray = NDArray[np.uint8]

STILLS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
CINES = frozenset({".avi", ".mp4", ".m4v", ".mpeg", ".mpg", ".mov", ".gif"})
logging.getLogger("PIL").setLevel(logging.WARNING)  # below, it tells what headers say, and of whom

# of what Pillow and FFmpeg know the rest is left: forms that other programs draw, and lists of other files
IMAGES = ("PNG", "JPEG", "BMP", "TIFF")
VIDEOS = "avi,gif,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpeg,mpegts,mpegvideo,m4v,h264,hevc"
OPTIONS = {"format_whitelist": VIDEOS, "protocol_whitelist": "file"}

MIN_SIDE = 8
HEADER_SLACK = 2  # a container may count frames that its edit list or codec delay drops
MAX_STILL_BYTES = 512 * 2**20
MPEG_PACK = b"\0\0\1\xba"  # a program stream begins with it
NEUTRAL, COLOURLESS = 128, 8  # of the chroma planes; how far from it grey stored as colour may lie


def open_still(path: Path) -> Opened:
    """PNG, JPEG, BMP and TIFF.

    Raises:
        DataError: as of `Source.open`.
    """
    if check_file(path) > MAX_STILL_BYTES:
        raise DataError(f"has more than {MAX_STILL_BYTES} bytes for one image")
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is damaged, which is not for the terminal
            with Image.open(path, formats=IMAGES) as image:
                check_size(*image.size)
                encoding = {"format": str(image.format), "mode": image.mode}
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"is not a readable image ({_reason(error)})") from error
    return Opened(1, moving=False, facts=Facts(encoding=encoding), frames=lambda: iter([decode_still(path)]))


def open_cine(path: Path) -> Opened:
    """AVI, MP4, MPEG, MOV and GIF.

    Raises:
        DataError: as of `Source.open`.
    """
    check_file(path)
    import av

    try:
        with av.open(str(path), "r", format=_container(path), options=OPTIONS) as container:
            stream = _video(container)
            check_size(stream.width, stream.height, max(stream.frames, 1))
            encoding = {"format": container.format.name, "codec": stream.codec_context.name}
            rate = stream.average_rate
            facts = Facts(encoding=encoding, rate_hz=float(rate) if rate else None)
            return Opened(stream.frames or None, moving=True, facts=facts, frames=lambda: decode_cine(path))
    except (av.FFmpegError, ValueError, IndexError, OSError) as error:
        raise DataError(f"is not a readable video ({_reason(error)})") from error


def _container(path: Path) -> str | None:
    """Form of a file that FFmpeg tells by its name before it looks inside; None to leave it to FFmpeg."""
    with path.open("rb") as file:
        return "mpeg" if file.read(len(MPEG_PACK)) == MPEG_PACK else None


def decode_still(path: Path) -> Pixels:
    """(H, W) grey levels or (H, W, 3) colours.

    Raises:
        DataError: not an image, cut short, or so large that it may be an attack on memory.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(path.read_bytes()), formats=IMAGES) as image:
                ImageOps.exif_transpose(image, in_place=True)
                values = np.asarray(_plain(image))
    except Exception as error:  # a decoder raises whatever broken bytes lead it to
        raise DataError(f"is not a readable image ({_reason(error)})") from error
    return values if values.ndim == 3 else gray_levels(values)


def _plain(image: Image) -> Image:
    """Values of the file's own depth, one channel or red, green and blue."""
    if image.mode.startswith("I") or image.mode in {"F", "L", "RGB"}:
        return image
    return image.convert("RGB" if image.mode not in {"1", "LA", "La"} else "L")


def gray_levels(values: NDArray[Any], span: tuple[float, float] | None = None) -> Gray:
    """Eight-bit values as they are; deeper ones stretched from their least to their greatest, or over a given span.

    Raises:
        DataError: a value is not finite.
    """
    if values.dtype == np.uint8:
        return values
    deep = values.astype(np.float64)
    if not np.isfinite(deep).all():
        raise DataError("holds values that are not numbers (NaN or infinite)")
    low, high = span or (deep.min(), deep.max())
    width = high / 2 - low / 2  # halves, since the difference of two large numbers may be none
    if not width > 0:
        return np.zeros(deep.shape, dtype=np.uint8)
    return np.rint((deep / 2 - low / 2) / width * 255.0).clip(0, 255).astype(np.uint8)


def luma(pixels: Pixels) -> Gray:
    """(..., H, W) grey levels of (..., H, W) or (..., H, W, 3) pixels (ITU-R 601, as Pillow rounds it)."""
    if pixels.shape[-1] != 3 or pixels.ndim < 3:
        return pixels
    weights = np.array([19595, 38470, 7471], dtype=np.uint32)
    return ((pixels.astype(np.uint32) @ weights + 0x8000) >> 16).astype(np.uint8)


def decode_cine(path: Path) -> Iterator[Pixels]:
    """Frames of the first video stream, one after another: grey levels, or colours where the first frame has any.

    Raises:
        DataError: not a video, or cut short, or damaged.
    """
    frames = _video_frames(path)
    first = next(frames)
    form = "rgb24" if _coloured(first) else "gray"
    for frame in chain([first], frames):
        if (frame.width, frame.height) != (first.width, first.height):
            raise DataError("changes its size on the way")
        yield np.asarray(frame.to_ndarray(format=form), dtype=np.uint8)


def _video_frames(path: Path) -> Iterator[VideoFrame]:
    import av

    number = 0
    try:
        with av.open(str(path), "r", format=_container(path), options=OPTIONS) as container:
            stream = _video(container)
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    raise DataError(f"is cut short or damaged at frame {number}")
                number += 1
                check_size(frame.width, frame.height, number)  # which no header need say
                yield frame
            declared = stream.frames
    except (av.FFmpegError, ValueError, IndexError, OSError) as error:
        raise DataError(f"is not a readable video ({_reason(error)})") from error
    if number == 0:
        raise DataError("holds no frame")
    if number + HEADER_SLACK < declared or _unfinished_gif(path):
        raise DataError(f"is cut short after {number} frames")


def _video(container: InputContainer) -> VideoStream:
    """Its first video stream, of a codec that is known."""
    if not container.streams.video:
        raise DataError("is not a readable video (it holds no pictures)")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise DataError("is not a readable video (its codec is not known)")
    return stream


def _unfinished_gif(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(4) != b"GIF8":
            return False
        file.seek(max(0, path.stat().st_size - 64))
        return not file.read().rstrip(b"\0").endswith(b";")


def _coloured(frame: VideoFrame) -> bool:
    """Whether a frame shows colour, rather than grey stored as colour."""
    if frame.format.name.startswith("gray"):
        return False
    if frame.format.name.startswith("yuv"):
        return any(_chroma(plane) > COLOURLESS for plane in list(frame.planes)[1:3])
    pixels = frame.to_ndarray(format="rgb24").astype(np.int16)
    return bool((pixels.max(axis=2) - pixels.min(axis=2)).max() > COLOURLESS)


def _chroma(plane: VideoPlane) -> int:
    """How far a chroma plane goes from neutral; its lines are longer in memory than they are wide."""
    lines = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)
    return int(np.abs(lines[: plane.height, : plane.width].astype(np.int16) - NEUTRAL).max())


def check_sides(shape: tuple[int, ...]) -> None:
    """Refuses an image, of which the shape is given, that is too small to hold a texture.

    Raises:
        DataError: a side is under `MIN_SIDE` pixels.
    """
    height, width = shape[:2]
    if min(height, width) < MIN_SIDE:
        raise DataError(f"has {width}x{height} pixels, at least {MIN_SIDE}x{MIN_SIDE} are needed")


def check_usable(image: Gray) -> None:
    """Refuses an image that is too small to hold a texture, or that shows nothing.

    Raises:
        DataError: a side is under `MIN_SIDE` pixels, or every pixel has the same value.
    """
    check_sides(image.shape)
    if image.min() == image.max():
        raise DataError("is empty: every pixel has the same value")


def _reason(error: Exception) -> str:
    """What a decoder said, without the address of the buffer it read from and the name of the file."""
    lines = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()
    return lines[0].partition(" <_io.")[0].partition(": '/")[0].partition(" '/")[0][:120]
