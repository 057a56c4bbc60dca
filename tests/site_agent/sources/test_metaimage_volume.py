from __future__ import annotations

import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.phantom.meta_image import meta_image
from federated.errors import DataError
from site_agent.sources.metaimage_volume import ELEMENTS, HEADER_BYTES, read_volume

CLIP = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def _write(folder: Path, header: str, data: bytes = b"", name: str = "clip.raw") -> Path:
    (folder / name).write_bytes(data)
    path = folder / "clip.mhd"
    path.write_bytes(header.encode())
    return path


def _header(size: str = "4 3 2", kind: str = "MET_UCHAR", data: str = "clip.raw", more: str = "") -> str:
    return f"NDims = {len(size.split())}\n{more}DimSize = {size}\nElementType = {kind}\nElementDataFile = {data}\n"


@pytest.mark.parametrize("compressed", [False, True])
def test_what_the_phantom_writes_is_read(tmp_path: Path, compressed: bool) -> None:
    for file in meta_image("clip.mhd", CLIP, (0.3, 0.15), compressed=compressed):
        (tmp_path / file.path).write_bytes(file.data)
    volume = read_volume(tmp_path / "clip.mhd")
    np.testing.assert_array_equal(list(volume.frames()), CLIP)
    assert volume.spacing_mm == (0.15, 0.3)
    assert volume.encoding["compression"] == ("zlib" if compressed else "none")


@pytest.mark.parametrize("kind", ELEMENTS)
@pytest.mark.parametrize("big", [False, True])
def test_every_type_and_order_of_bytes_is_read(tmp_path: Path, kind: str, big: bool) -> None:
    values = (CLIP * 5).astype(f"{'>' if big else '<'}{ELEMENTS[kind]}")
    more = f"BinaryDataByteOrderMSB = {big}\n"
    volume = read_volume(_write(tmp_path, _header(kind=kind, more=more), values.tobytes()))
    np.testing.assert_array_equal(list(volume.values()), values)


def test_two_dimensions_are_one_frame(tmp_path: Path) -> None:
    volume = read_volume(_write(tmp_path, _header("4 3"), CLIP[0].tobytes()))
    np.testing.assert_array_equal(list(volume.frames()), CLIP[:1])
    assert volume.spacing_mm is None


def test_colours_are_read(tmp_path: Path) -> None:
    colours = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    path = _write(tmp_path, _header(more="ElementNumberOfChannels = 3\n"), colours.tobytes())
    np.testing.assert_array_equal(list(read_volume(path).frames()), colours)


@pytest.mark.parametrize("compressed", [False, True])
def test_header_and_data_in_one_file(tmp_path: Path, compressed: bool) -> None:
    data = zlib.compress(CLIP.tobytes()) if compressed else CLIP.tobytes()
    path = tmp_path / "clip.mha"
    path.write_bytes(_header(data="LOCAL", more=f"CompressedData = {compressed}\n").encode() + data)
    np.testing.assert_array_equal(list(read_volume(path).frames()), CLIP)


def test_a_list_has_a_file_for_each_frame(tmp_path: Path) -> None:
    for number, frame in enumerate(CLIP):
        (tmp_path / f"{number}.raw").write_bytes(frame.tobytes())
    path = _write(tmp_path, _header(data="LIST") + "0.raw\r\n1.raw\r\n")
    np.testing.assert_array_equal(list(read_volume(path).frames()), CLIP)
    with pytest.raises(DataError, match="lists 1 files for 2 frames"):
        read_volume(_write(tmp_path, _header(data="LIST") + "0.raw\n"))


@pytest.mark.parametrize(("skip", "before"), [("5", 5), ("-1", 9)])
def test_bytes_before_the_data_are_skipped(tmp_path: Path, skip: str, before: int) -> None:
    data = bytes(before) + CLIP.tobytes()
    path = _write(tmp_path, _header(more=f"HeaderSize = {skip}\n"), data)
    np.testing.assert_array_equal(list(read_volume(path).frames()), CLIP)


def test_a_folder_below_may_hold_the_data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "clip.raw").write_bytes(CLIP.tobytes())
    for name in ("data/clip.raw", r"data\clip.raw"):
        np.testing.assert_array_equal(list(read_volume(_write(tmp_path, _header(data=name))).frames()), CLIP)


@pytest.mark.parametrize("name", ["../clip.raw", "/etc/passwd", r"C:\clip.raw", "a/../../b", r"\\host\b", "a\0b"])
def test_a_data_file_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="names a data file outside its own folder"):
        read_volume(_write(tmp_path, _header(data=name)))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "is empty"),
        ("once upon a time\n", "is no MetaImage header"),
        ("\x89PNG\r\n\x1a\n" + "\0" * 40, "is no MetaImage header"),
        ("a = b\n" * HEADER_BYTES, "is no MetaImage header"),
        (_header().replace("DimSize", "Dim"), "is no MetaImage header"),
        (_header(kind="MET_STRING"), "has values of a type that is not read"),
        (_header(more="BinaryData = False\n"), "has its values as text"),
        (_header("4"), "has neither two nor three dimensions"),
        (_header("4 3 2 1"), "has neither two nor three dimensions"),
        (_header("4 x 2"), "says no numbers for DimSize"),
        (_header("4.5 3 2"), "says no whole numbers for DimSize"),
        (_header("nan 3 2"), "says no numbers for DimSize"),
        (_header("0 3 2"), "says it has 2 frames of 0x3 pixels"),
        (_header("-4 -3 2"), "says it has 2 frames of -4x-3 pixels"),
        (_header("1000000 1000000 2"), "says it has 1000000x1000000 pixels, at most 64 million are read"),
        (_header("1e300 1 1"), "pixels, at most 64 million are read"),
        (_header("1000 1000 9999999"), "which is more than is read"),
        (_header(more="ElementNumberOfChannels = 2\n"), "has 2 values a pixel"),
        (_header(data="missing.raw"), "its data file is not there, or is no file"),
        (_header(data="."), "its data file is not there, or is no file"),
        (_header(data="a" * 300), "its data file cannot be read"),
        (_header("4 3 3"), "has 24 bytes of data where its header asks for 36"),
        (_header("4 3 1"), "has 24 bytes of data where its header asks for 12"),
        (_header(more="HeaderSize = 1e30\n"), "bytes of data where its header asks for 24"),
        (_header("8000 8000 60", more="CompressedData = True\n"), "more than its 24 compressed ones can become"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path, header: str, reason: str) -> None:
    path = _write(tmp_path, header, CLIP.tobytes())
    with pytest.raises(DataError) as caught:
        read_volume(path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_garbage_where_compressed_data_should_be(tmp_path: Path) -> None:
    volume = read_volume(_write(tmp_path, _header(more="CompressedData = True\n"), b"garbage"))
    with pytest.raises(DataError, match="is damaged or cannot be read at frame 0"):
        list(volume.frames())


def test_compressed_data_that_is_cut_short(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = zlib.compress(rng.integers(0, 256, (4, 50, 50), np.uint8).tobytes())[:6000]
    volume = read_volume(_write(tmp_path, _header("50 50 4", more="CompressedData = True\n"), data))
    with pytest.raises(DataError, match="is cut short at frame 2"):
        list(volume.frames())


def test_a_bomb_gives_no_more_than_its_header_says(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(200 * 2**20))
    volume = read_volume(_write(tmp_path, _header("1000 1000 2", more="CompressedData = True\n"), bomb))
    tracemalloc.start()
    frames = list(volume.frames())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(frames) == 2
    assert most < 8 * 2**20


def test_a_spacing_that_no_machine_has_is_left_out(tmp_path: Path) -> None:
    volume = read_volume(_write(tmp_path, _header(more="ElementSpacing = 0 0.3 1\n"), CLIP.tobytes()))
    assert volume.spacing_mm is None
    assert volume.doubts == ("a pixel has no believable width and height: left out",)


LINES = st.sampled_from(
    [
        *_header().splitlines(),
        "DimSize = 2 3 4 5",
        "DimSize = 9 9",
        "CompressedData = True",
        "ElementSpacing = 1e999 -1",
        "ElementNumberOfChannels = -1",
        "HeaderSize = -1",
        "ElementDataFile = LIST",
        "ElementDataFile = LOCAL",
        "clip.raw",
        "ElementType = MET_DOUBLE",
    ]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES | st.text(max_size=20), max_size=12).map("\n".join), st.binary(max_size=64))
def test_any_header_ends_in_frames_or_in_one_line(tmp_path: Path, header: str, data: bytes) -> None:
    frames, reason = [], ""
    try:
        frames = list(read_volume(_write(tmp_path, header, data)).frames())
    except DataError as error:
        reason = str(error)
    assert "\n" not in reason
    assert bool(frames) != bool(reason)
    assert all(frame.dtype == np.uint8 for frame in frames)
