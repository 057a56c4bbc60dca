"""Images as bytes: PNG, JPEG, and cine files; equal images give equal bytes."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]

LOSSLESS, MOTION_JPEG, MPEG4 = "ffv1", "mjpeg", "mpeg4"
PIXELS = {LOSSLESS: "gray", MOTION_JPEG: "yuvj420p", MPEG4: "yuv420p"}
CONTAINERS = {LOSSLESS: "avi", MOTION_JPEG: "avi", MPEG4: "mp4"}
QUALITY_SCALE = 2  # of ffmpeg's Motion JPEG and MPEG-4: 2 is their best, 31 their worst
VIDEO_RANGE, FULL_RANGE = 1, 2  # grey levels 16 to 235, or 0 to 255: ffmpeg's AVCOL_RANGE_MPEG and _JPEG


def png(image: Gray) -> bytes:
    """An (H, W) image without loss."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(image: Gray, quality: int, *, subsampling: str = "4:2:2") -> bytes:
    """An (H, W) or (H, W, 3) image as baseline JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()


class Still:
    """A PNG file that takes its one frame as a `Cine` takes its many."""

    def __init__(self) -> None:
        self._frame: Gray | None = None

    def add(self, frame: Gray) -> None:
        """The frame."""
        self._frame = frame

    def close(self) -> bytes:
        """The file; nothing where no frame came."""
        return b"" if self._frame is None else png(self._frame)


class Cine:
    """A cine file that takes (H, W) frames one by one: FFV1 without loss or Motion JPEG in AVI, MPEG-4 in MP4."""

    def __init__(self, rate_hz: float, codec: str = LOSSLESS) -> None:
        import av

        self._codec, self._rate = codec, Fraction(rate_hz).limit_denominator(1000)
        self._buffer = io.BytesIO()
        self._container: Any = av.open(self._buffer, "w", format=CONTAINERS[codec], options={"fflags": "+bitexact"})
        self._stream: Any = None

    def add(self, frame: Gray) -> None:
        """The next frame."""
        self._stream = self._stream or self._begin(*frame.shape)
        self._container.mux(self._stream.encode(_video_frame(frame, self._codec)))

    def close(self) -> bytes:
        """The whole file, once all frames are in it."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._buffer.getvalue()

    def _begin(self, height: int, width: int) -> Any:
        import av

        stream = self._container.add_stream(self._codec, rate=self._rate)
        stream.height, stream.width, stream.pix_fmt = height, width, PIXELS[self._codec]
        context = stream.codec_context
        context.flags |= av.codec.context.Flags.bitexact  # names no version of the encoder
        context.thread_count = 1
        if self._codec == MOTION_JPEG:
            context.color_range = FULL_RANGE
        if self._codec != LOSSLESS:
            context.qmin = context.qmax = QUALITY_SCALE
        return stream


def cine(frames: Gray, rate_hz: float, codec: str = LOSSLESS) -> bytes:
    """A (T, H, W) clip as a cine file."""
    file = Cine(rate_hz, codec)
    for frame in frames:
        file.add(frame)
    return file.close()


def _video_frame(image: Gray, codec: str) -> Any:
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="gray")
    if codec == LOSSLESS:
        return frame
    stored = FULL_RANGE if codec == MOTION_JPEG else VIDEO_RANGE
    return frame.reformat(format=PIXELS[codec], src_color_range=FULL_RANGE, dst_color_range=stored)
