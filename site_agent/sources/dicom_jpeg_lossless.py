"""JPEG lossless (ISO 10918-1, annex H; PS3.5, A.4.2) through FFmpeg, which refuses damage and does not fill it in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError

STRICT = {"err_detect": "crccheck+bitstream+buffer+explode"}
COLOURS = {"bgr24", "rgb24", "gbrp"}
PLANES = {"yuv444p", "yuvj444p"}  # components that are not named red, green and blue, as they are


def jpeg_lossless_decoder() -> Callable[[bytes], NDArray[Any]]:
    """Decodes one frame after the other: (H, W) or (H, W, 3) values as they were coded, of 8 or 16 bits.

    It raises `DataError` where there is no whole frame, or one of a form that is not read.
    """
    import av

    context = av.CodecContext.create("mjpeg", "r")
    context.options, context.thread_count = STRICT, 1

    def decode(data: bytes) -> NDArray[Any]:
        try:
            (frame,) = context.decode(av.Packet(data))
        except (av.FFmpegError, ValueError) as error:
            raise DataError("is damaged: its JPEG data is corrupt") from error
        assert isinstance(frame, av.VideoFrame)
        if frame.format.name in COLOURS:
            return np.asarray(frame.to_ndarray(format="rgb24"))
        if frame.format.name in PLANES:
            return np.moveaxis(frame.to_ndarray(), 0, -1)
        if frame.format.name.startswith("gray"):
            return np.asarray(frame.to_ndarray())
        raise DataError("is JPEG lossless of a form that is not read", cure="export it anew, uncompressed")

    return decode
