"""A stream of video in fragments is read as one file, and as no more than that."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.errors import DataError
from site_agent.sources.dicom_fragments import Fragment
from site_agent.sources.dicom_video import _Joined, video_frames
from tests.site_agent.sources.dicom_making import COLOURS, video

lengths = st.lists(st.integers(0, 9), max_size=6)


@given(lengths=lengths, gap=st.integers(0, 3), size=st.integers(1, 12), start=st.integers(0, 60))
def test_fragments_are_one_file(lengths: list[int], gap: int, size: int, start: int) -> None:
    data, parts, whole = bytearray(), [], b""
    for number, length in enumerate(lengths):
        data += b"#" * gap
        parts.append(Fragment(len(data), length))
        data += bytes([65 + number]) * length
        whole += bytes([65 + number]) * length
    file = _Joined(io.BytesIO(bytes(data)), tuple(parts))
    assert file.seek(0, io.SEEK_END) == len(whole)
    assert file.seek(start) == file.tell() == start
    read = b""
    while part := file.read(size):
        assert len(part) <= size
        read += part
    assert read == whole[start:]


def test_frames_of_a_stream_in_two_pieces() -> None:
    data = video(COLOURS, "mpeg2video", "mpegts")
    half = len(data) // 2
    parts = (Fragment(0, half), Fragment(half + 8, len(data) - half))
    stream = io.BytesIO(data[:half] + b"an item." + data[half:])
    frames = np.stack(list(video_frames(stream, parts, 56, 40)))
    assert frames.shape == COLOURS.shape
    assert np.abs(frames.astype(int) - COLOURS).mean() < 12  # colours are thinned out to a quarter


def test_frames_of_another_size() -> None:
    data = video(COLOURS, "libx264", "mp4")
    with pytest.raises(DataError, match=r"^has frames of 56x40, its header says 64x40$"):
        list(video_frames(io.BytesIO(data), (Fragment(0, len(data)),), 64, 40))
