"""MPEG-2, H.264 and HEVC in DICOM (PS3.5, 8.2.5 and after): one stream of frames in the fragments, through PyAV."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import accumulate
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.sources.dicom_fragments import Parts

# no playlists, which would have other files opened
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,mpegts,mpeg,mpegvideo,m4v,h264,hevc"


def video_frames(stream: BinaryIO, parts: Parts, width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """RGB frames (H, W, 3) as they are decoded.

    Raises:
        DataError: it is no video, or not of the size that the header says.
    """
    import av

    options = {"format_whitelist": FORMATS, "protocol_whitelist": ""}
    with av.open(_Joined(stream, parts), "r", options=options) as container:
        if not container.streams.video:
            raise DataError("holds no video where its header says so")
        for frame in container.decode(video=0):
            if (frame.width, frame.height) != (width, height):
                raise DataError(f"has frames of {frame.width}x{frame.height}, its header says {width}x{height}")
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


class _Joined(io.RawIOBase):
    """The bytes of fragments in a row, as one file; of which what is asked for is read, and no more."""

    def __init__(self, stream: BinaryIO, parts: Parts) -> None:
        self.stream, self.parts, self.place = stream, parts, 0
        self.ends = list(accumulate(part.length for part in parts))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.ends[-1] if self.ends else 0}[whence]
        self.place = max(base + offset, 0)
        return self.place

    def read(self, count: int = -1) -> bytes:
        for part, end in zip(self.parts, self.ends, strict=True):
            if self.place < end:
                left = end - self.place
                self.stream.seek(part.offset + part.length - left)
                data = self.stream.read(left if count < 0 else min(left, count))
                self.place += len(data)
                return data
        return b""
