"""JPEG lossless of two encoders and every form that is read; damage is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.encaps import generate_frames

from federated.errors import DataError
from site_agent.sources.dicom import open_dicom
from site_agent.sources.dicom_jpeg_lossless import jpeg_lossless_decoder
from tests.site_agent.sources.dicom_making import COLOURS, WAVES, dataset, through_gdcm

NAMED, NUMBERED = b"\x52\x11\x00\x47\x11\x00\x42\x11\x00", b"\x01\x11\x00\x02\x11\x00\x03\x11\x00"


def _codestream(path: Path) -> bytes:
    (data,) = generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1)
    return data


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_grey_of_any_depth(tmp_path: Path, bits: int) -> None:
    deep = (WAVES[:1].astype(np.uint16) << (bits - 8)) + bits - 8
    pixels: NDArray[Any] = deep if bits > 8 else WAVES[:1]
    path = through_gdcm(tmp_path, dataset(pixels, bits=bits), "JPEGLosslessProcess14_1")
    assert np.array_equal(jpeg_lossless_decoder()(_codestream(path)), pixels[0])


def test_values_below_zero(tmp_path: Path) -> None:
    pixels = WAVES[:1].astype(np.int16) * 8 - 1000
    path = through_gdcm(tmp_path, dataset(pixels, bits=12), "JPEGLosslessProcess14_1")
    (shown,) = open_dicom(path).frames()
    assert np.array_equal(shown, np.rint((pixels[0] + 2048) / 4095 * 255))


@pytest.mark.parametrize("prediction", ["left", "plane", "median"])
def test_predictions_of_another_encoder(prediction: str) -> None:
    context = av.CodecContext.create("ljpeg", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 56, 40, "bgr24"
    context.time_base, context.options = Fraction(1), {"pred": prediction}
    (packet,) = context.encode(av.VideoFrame.from_ndarray(COLOURS[0], format="rgb24").reformat(format="bgr24"))
    assert np.array_equal(jpeg_lossless_decoder()(bytes(packet)), COLOURS[0])


def test_components_that_have_numbers_for_names_come_as_they_are(tmp_path: Path) -> None:
    path = through_gdcm(tmp_path, dataset(COLOURS[:1], photometric="RGB"), "JPEGLosslessProcess14_1")
    data = _codestream(path)
    assert data.count(NAMED) == 1
    scan = b"\x03\x52\x00\x47\x00\x42\x00"
    assert data.count(scan) == 1
    numbered = data.replace(NAMED, NUMBERED).replace(scan, b"\x03\x01\x00\x02\x00\x03\x00")
    assert np.array_equal(jpeg_lossless_decoder()(numbered), COLOURS[0])


def test_one_decoder_takes_frame_after_frame(tmp_path: Path) -> None:
    decode = jpeg_lossless_decoder()
    for frame in WAVES:
        path = through_gdcm(tmp_path, dataset(frame[None]), "JPEGLosslessProcess14")
        assert np.array_equal(decode(_codestream(path)), frame)


def test_damage_is_refused_and_not_filled_in(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = through_gdcm(tmp_path, dataset(WAVES[:1]), "JPEGLosslessProcess14_1")
    whole = path.read_bytes()
    middle = whole.rindex(b"\xff\xda") + 300
    path.write_bytes(whole[:middle] + b"\xff\xd9" + bytes(len(whole) - middle - 2 - 8) + whole[-8:])
    opened = open_dicom(path)
    with pytest.raises(DataError, match="its JPEG data is corrupt"):
        list(opened.frames())
    assert capfd.readouterr().err == ""


def test_what_is_no_frame() -> None:
    with pytest.raises(DataError, match="corrupt"):
        jpeg_lossless_decoder()(b"\xff\xd8\xff\xd9")
