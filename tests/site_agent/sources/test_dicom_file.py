"""Files up to their pixels: within bounds, without a word of the header getting out, and whatever the bytes are."""

from __future__ import annotations

import io
import logging
import struct
import sys
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid as uids
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from federated.errors import DataError
from site_agent.sources import dicom_file
from site_agent.sources.dicom import open_dicom
from site_agent.sources.dicom_file import FIRST_BYTES, looks_like_dicom, read_dicom, sheltered
from tests.site_agent.sources.dicom_making import (
    COLOURS,
    WAVES,
    as_bytes,
    dataset,
    encapsulated,
    jpeg,
    sample,
    video,
    write,
)


def _line(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read_dicom(path)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- what looks like it ----------------------------------------------------------------------------------------------


def test_the_mark_at_128_tells() -> None:
    assert looks_like_dicom(as_bytes(dataset(WAVES))[:FIRST_BYTES])
    assert not looks_like_dicom(bytes(FIRST_BYTES))
    assert not looks_like_dicom(b"")
    assert not looks_like_dicom(b"\x89PNG\r\n\x1a\n" + bytes(124))


@pytest.mark.parametrize("name", ["ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm"])
def test_a_data_set_without_preamble_is_one_too(name: str) -> None:
    data = sample(name).read_bytes()
    assert data[128:132] != b"DICM"
    assert looks_like_dicom(data[:FIRST_BYTES])
    assert read_dicom(sample(name)).header.SOPClassUID.name == "RT Ion Plan Storage"


def test_without_preamble_and_meta_the_first_element_tells(tmp_path: Path) -> None:
    for explicit, syntax in ((True, uids.ExplicitVRLittleEndian), (False, uids.ImplicitVRLittleEndian)):
        made = dataset(WAVES)
        made.file_meta.TransferSyntaxUID = syntax
        whole = as_bytes(made)
        start = whole.index(b"\x08\0\x16\0")
        (tmp_path / "a").write_bytes(whole[start:])
        dicom = read_dicom(tmp_path / "a")
        assert dicom.syntax == syntax, explicit
        assert dicom.header.PatientID == "P7"


# --- what is there ---------------------------------------------------------------------------------------------------


def test_the_place_of_the_pixels(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", dataset(WAVES))
    dicom = read_dicom(path)
    assert dicom.place is not None
    assert (dicom.place.length, dicom.place.left, dicom.place.vr) == (WAVES.size, WAVES.size, "OB")
    with dicom.stream() as stream:
        stream.seek(dicom.place.offset)
        assert stream.read(WAVES.size) == WAVES.tobytes()


def test_an_icon_is_not_the_image(tmp_path: Path) -> None:
    icon = dataset(WAVES[:1, :4, :4])
    del icon.file_meta
    dicom = read_dicom(write(tmp_path / "a.dcm", dataset(WAVES, IconImageSequence=Sequence([icon]))))
    assert dicom.place is not None
    assert dicom.place.length == WAVES.size


def test_text_is_read_once_and_for_all(tmp_path: Path) -> None:
    made = dataset(WAVES, SpecificCharacterSet="ISO_IR 100", PatientName="Grün^Ä", PatientComments="Öl")
    header = read_dicom(write(tmp_path / "a.dcm", made)).header
    assert (str(header.PatientName), header.PatientComments) == ("Grün^Ä", "Öl")
    assert header.SpecificCharacterSet == "ISO_IR 192"


def test_a_character_set_that_nobody_knows_warns_nobody(tmp_path: Path) -> None:
    data = as_bytes(dataset(WAVES, SpecificCharacterSet="ISO_IR 100")).replace(b"ISO_IR 100", b"ISO_IX 100")
    (tmp_path / "a.dcm").write_bytes(data)
    header = read_dicom(tmp_path / "a.dcm").header
    assert str(header.PatientName) == "NOBODY^AT ALL"
    assert header.to_json_dict()["00100020"]["Value"] == ["P7"]


def test_values_that_cannot_be_read_are_left_out_and_counted(tmp_path: Path) -> None:
    data = as_bytes(dataset(WAVES, FrameTime="25.0", PatientID="P7")).replace(b"25.0", b"fast")
    (tmp_path / "a.dcm").write_bytes(data)
    dicom = read_dicom(tmp_path / "a.dcm")
    assert "FrameTime" not in dicom.header
    assert dicom.doubts == ("1 values of the header cannot be read and were left out",)


def test_several_numbers_in_one_value_are_read(tmp_path: Path) -> None:
    made = dataset(WAVES, FrameTimeVector=[0, 40, 40])
    made.add_new(0x200D0010, "LO", "MAKER")
    made.add_new(0x200D1004, "SL", [95, -6, 559])
    made.add_new(0x00281101, "US", [256, 0, 16])
    dicom = read_dicom(write(tmp_path / "a.dcm", made))
    assert dicom.doubts == ()
    assert list(dicom.header[0x200D1004].value) == [95, -6, 559]
    assert list(dicom.header.RedPaletteColorLookupTableDescriptor) == [256, 0, 16]


def test_long_private_values_are_left_out(tmp_path: Path) -> None:
    made = dataset(WAVES)
    made.private_block(0x200D, "MAKER", create=True).add_new(1, "OB", bytes(2**20 + 2))
    dicom = read_dicom(write(tmp_path / "a.dcm", made))
    assert dicom.doubts == ("1 values of over 1048576 bytes were left out of the header",)
    assert dicom.header.PatientID == "P7"


def test_nothing_of_the_header_is_warned_of_or_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    made = dataset(WAVES)
    made.file_meta.TransferSyntaxUID = uids.JPEG2000
    made = encapsulated(made, uids.JPEG2000, [b"\xff\x4f\xff\x51" + bytes(60)] * 3)
    path = write(tmp_path / "a.dcm", made)
    opened = open_dicom(path)
    with warnings.catch_warnings(record=True, action="always") as caught, pytest.raises(DataError):
        list(opened.frames())
    assert (caught, caplog.records) == ([], [])
    assert capfd.readouterr() == ("", "")


def test_the_shelter_gives_the_reason_and_not_the_cause() -> None:
    def fail(error: Exception) -> None:
        with sheltered("is damaged"):
            raise error

    with pytest.raises(DataError, match=r"^is damaged$") as caught:
        fail(ValueError("JOHN DOE"))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    with pytest.raises(DataError, match=r"^takes more memory than there is$"):
        fail(MemoryError())
    with pytest.raises(DataError, match=r"^says it$"):
        fail(DataError("says it"))
    assert logging.root.manager.disable == logging.NOTSET


@pytest.mark.parametrize("syntax", [uids.ExplicitVRLittleEndian, uids.DeflatedExplicitVRLittleEndian, uids.RLELossless])
def test_a_file_that_goes_away_or_shrinks_after_it_was_opened(tmp_path: Path, syntax: uids.UID) -> None:
    made = dataset(WAVES)
    if syntax == uids.RLELossless:
        made.compress(syntax, encoding_plugin="pydicom", generate_instance_uid=False)
    made.file_meta.TransferSyntaxUID = syntax
    path = write(tmp_path / "a.dcm", made)
    opened = open_dicom(path)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError):
        list(opened.frames())
    path.unlink()
    with pytest.raises(DataError, match="cannot be read any more"):
        list(opened.frames())


# --- what is wrong ---------------------------------------------------------------------------------------------------


def test_not_dicom(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    for data, line in ((b"", "is empty"), (b"x", "is not DICOM"), (b"\x89PNG" + bytes(500), "is not DICOM")):
        path.write_bytes(data)
        assert _line(path) == line
    assert _line(tmp_path) == "is not there, or is no file"


def test_meta_information_that_does_not_end(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + b"\2\0\1\0OB\0\0" + struct.pack("<I", 2**31) + bytes(99))
    assert _line(tmp_path / "a.dcm") == "is damaged: its file meta information does not end"


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def test_a_bomb_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = dataset(WAVES)
    made.file_meta.TransferSyntaxUID = uids.DeflatedExplicitVRLittleEndian
    head = as_bytes(made)
    start = read_dicom(write(tmp_path / "a.dcm", made)).start
    monkeypatch.setattr(dicom_file, "MAX_INFLATED_BYTES", 4 * 2**20)
    (tmp_path / "a.dcm").write_bytes(head[:start] + _deflated(bytes(5 * 2**20)))
    assert (tmp_path / "a.dcm").stat().st_size < 2**14
    assert _line(tmp_path / "a.dcm") == "inflates to more than 4 MiB, which is not read"
    (tmp_path / "a.dcm").write_bytes(head[: len(head) // 2])
    assert _line(tmp_path / "a.dcm") == "is cut off: its deflated data does not end"


def test_what_is_inflated_is_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(256)) * 40
    monkeypatch.setattr(dicom_file, "CHUNK", 7)
    assert dicom_file._inflated(io.BytesIO(_deflated(data) + b"behind")) == data
    monkeypatch.setattr(dicom_file, "MAX_INFLATED_BYTES", len(data))
    assert dicom_file._inflated(io.BytesIO(_deflated(data))) == data
    with pytest.raises(DataError, match="inflates to more"):
        dicom_file._inflated(io.BytesIO(_deflated(data + b"1")))


def _after_the_head(data: bytes) -> bytes:
    made = Dataset()
    made.file_meta = dataset(WAVES).file_meta
    return as_bytes(made) + data


def test_a_header_without_end_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_file, "MAX_HEADER_READS", 2000)
    one = b"\x09\0\x10\x10LO\0\0"
    (tmp_path / "a.dcm").write_bytes(_after_the_head(one * 10_000))
    assert _line(tmp_path / "a.dcm") == "has a longer header than is read"


def test_a_value_longer_than_the_file_takes_no_memory(tmp_path: Path) -> None:
    data = b"\x08\0\x08\0UT\0\0" + struct.pack("<I", 2**30) + b"abc"
    unending = b"\x09\0\x10\x10OB\0\0\xff\xff\xff\xff" + bytes(100)
    read_dicom(write(tmp_path / "warm.dcm", dataset(WAVES)))
    for tail in (data, unending):
        (tmp_path / "a.dcm").write_bytes(_after_the_head(tail))
        tracemalloc.start()
        with suppress(DataError):
            read_dicom(tmp_path / "a.dcm")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4 * 2**20


def test_sequences_nested_without_end(tmp_path: Path) -> None:
    opening = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    (tmp_path / "a.dcm").write_bytes(_after_the_head(opening * 5000))
    assert sys.getrecursionlimit() < 5000
    assert _line(tmp_path / "a.dcm") == "is damaged: its header cannot be read"


# --- whatever the bytes are ------------------------------------------------------------------------------------------


def _compressed(make: Callable[[Dataset], None], colour: bool = False) -> bytes:
    made = dataset(COLOURS, photometric="RGB") if colour else dataset(WAVES)
    make(made)
    return as_bytes(made)


def _with(syntax: uids.UID, plugin: str) -> Callable[[Dataset], None]:
    return lambda made: made.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)


def _seeds() -> dict[str, bytes]:
    """Small files of every decoder, from which the fuzzer starts."""
    moving = COLOURS.repeat(2, axis=0)
    partial = dataset(moving, photometric="YBR_PARTIAL_420")
    return {
        "native": as_bytes(dataset(WAVES)),
        "deep": as_bytes(dataset(WAVES.astype("uint16") << 4, bits=12)),
        "rle": _compressed(_with(uids.RLELossless, "pydicom"), colour=True),
        "jpeg": as_bytes(encapsulated(dataset(WAVES), uids.JPEGBaseline8Bit, [jpeg(frame) for frame in WAVES])),
        "jpeg-ls": _compressed(_with(uids.JPEGLSLossless, "pyjpegls"), colour=True),
        "jpeg 2000": _compressed(_with(uids.JPEG2000Lossless, "pylibjpeg"), colour=True),
        "video": as_bytes(encapsulated(partial, uids.MPEG4HP41, [video(moving, "libx264", "mp4")])),
        "mpeg-2": as_bytes(encapsulated(partial, uids.MPEG2MPML, [video(moving, "mpeg2video", "mpegts")])),
        "lossless": sample("SC_rgb_jpeg_gdcm.dcm").read_bytes(),
        "no meta": sample("ExplVR_BigEndNoMeta.dcm").read_bytes(),
    }


SEEDS = _seeds()


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """A file with some bytes changed, taken out or put in, and at times its end cut off."""
    data = bytearray(SEEDS[draw(st.sampled_from(sorted(SEEDS)))])
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(data) - 1) | st.integers(128, 1500)) % len(data)
        how = draw(st.sampled_from(["flip", "set", "cut", "put"]))
        if how == "flip":
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif how == "set":
            new = draw(st.sampled_from([b"\0", b"\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff"]))
            data[place : place + len(new)] = new
        elif how == "cut":
            del data[place : place + draw(st.integers(1, 16))]
        else:
            data[place:place] = draw(st.binary(min_size=1, max_size=8))
    return bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))])


@settings(max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=_mutated())
def test_whatever_the_bytes_are_one_line_comes_out(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "fuzz.dcm"
    path.write_bytes(data)
    said = ""
    try:
        shapes = {frame.shape for frame in open_dicom(path).frames()}
    except DataError as error:
        said = str(error)
    assert said.count("\n") == 0
    assert said or len(shapes) == 1
