"""Items of encapsulated pixels: which belong to which frame, and what a codestream claims."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import encapsulate

from federated.errors import DataError
from site_agent.sources import dicom_fragments
from site_agent.sources.dicom_fragments import Codestream, codestream, frame_parts, items, joined
from tests.site_agent.sources.dicom_making import COLOURS, WAVES, dataset, jpeg

END = b"\xff\xd9"


def _item(data: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(data)) + data


def _frames(data: bytes, frames: int) -> list[bytes]:
    stream = io.BytesIO(data)
    return [joined(stream, parts) for parts in frame_parts(stream, 0, frames)]


frames_of_bytes = st.lists(st.binary(min_size=2, max_size=40).map(lambda data: data[: len(data) // 2 * 2]), min_size=1)


@given(frames=frames_of_bytes, each=st.integers(1, 3), table=st.booleans())
def test_frames_come_back(frames: list[bytes], each: int, table: bool) -> None:
    frames = [frame.replace(END, b"..") + b"......" + END for frame in frames]
    data = encapsulate(frames, fragments_per_frame=each, has_bot=table)
    assert _frames(data, len(frames)) == frames


def test_a_single_frame_takes_all_fragments() -> None:
    data = _item(b"") + _item(b"ab") + _item(b"cd") + _item(b"ef")
    assert _frames(data, 1) == [b"abcdef"]


def test_a_table_that_makes_no_sense_is_not_followed() -> None:
    fragments = _item(b"a" + END) + _item(b"bb") + _item(b"c" + END)
    for offsets in ((0, 3), (9, 11), (5, 0)):
        data = _item(struct.pack("<2I", *offsets)) + fragments
        assert _frames(data, 2) == [b"a" + END, b"bbc" + END]


def test_the_table_wins_over_marks_of_an_end() -> None:
    data = _item(struct.pack("<2I", 0, 10 + 10)) + _item(END) + _item(END) + _item(END)
    assert _frames(data, 2) == [END + END, END]


def test_too_few_frames() -> None:
    with pytest.raises(DataError, match=r"^says it has 3 frames, but holds 2$"):
        _frames(_item(b"") + _item(b"ab") * 2, 3)
    with pytest.raises(DataError, match=r"^says it has 2 frames, but 1 can be told apart$"):
        _frames(_item(b"") + _item(b"ab") * 3, 2)
    with pytest.raises(DataError, match=r"^says it has 1 frames, but holds 0$"):
        _frames(_item(b""), 1)


def test_more_frames_than_said_are_not_read() -> None:
    assert _frames(_item(b"") + _item(b"a" + END) * 4, 2) == [b"a" + END] * 2


def test_items_end_at_the_delimiter_or_the_end_of_the_file() -> None:
    data = _item(b"") + _item(b"ab")
    for tail in (b"", b"\xfe\xff\xdd\xe0\0\0\0\0" + b"behind", b"\0\0"):
        assert [each.length for each in items(io.BytesIO(data + tail), 0)] == [0, 2]


def test_what_is_no_item() -> None:
    for data in (b"", b"garbage that is no item", _item(b"") + b"garbage!"):
        with pytest.raises(DataError, match="are no list of items"):
            items(io.BytesIO(data), 0)
    with pytest.raises(DataError, match=r"^is cut off in the middle"):
        items(io.BytesIO(_item(b"") + _item(b"abcdefgh")[:-1]), 0)


def test_items_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_fragments, "MAX_FRAGMENTS", 50)
    with pytest.raises(DataError, match="no list of items"):
        items(io.BytesIO(_item(b"") * 60), 0)


def test_what_a_codestream_claims() -> None:
    assert codestream(jpeg(WAVES[0])) == Codestream(56, 40, 1, 8)
    assert codestream(jpeg(COLOURS[0])) == Codestream(56, 40, 3, 8)
    made = dataset((WAVES[:1].astype(np.uint16) << 4), bits=12)
    made.compress("1.2.840.10008.1.2.4.90", encoding_plugin="pylibjpeg", generate_instance_uid=False)
    stream = io.BytesIO(made.PixelData)
    (parts,) = frame_parts(stream, 0, 1)
    assert codestream(joined(stream, parts)) == Codestream(56, 40, 1, 12)
    assert codestream(b"anything else") is None
    assert codestream(b"") is None


def test_fill_bytes_and_bare_markers_are_passed_over() -> None:
    frame = b"\xff\xc0\0\x0b\x08\0\x28\0\x38\x01"
    assert codestream(b"\xff\xd8" + b"\xff\xff\x01" + b"\xff\xfe\0\x04ab" + frame) == Codestream(56, 40, 1, 8)


@given(data=st.binary(max_size=60))
def test_no_codestream_leads_astray(data: bytes) -> None:
    for start in (b"\xff\xd8", b"\xff\x4f\xff\x51"):
        claimed = codestream(start + data)
        assert claimed is None or isinstance(claimed, Codestream)
