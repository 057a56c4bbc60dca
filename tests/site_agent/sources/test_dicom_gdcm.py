"""What a decoder writes to the terminal is heard, and believed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from federated.errors import DataError
from site_agent.sources.dicom import open_dicom
from site_agent.sources.dicom_gdcm import complaints_heard
from tests.site_agent.sources.dicom_making import WAVES, dataset, through_gdcm


def test_silence_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    with complaints_heard():
        pass
    os.write(2, b"afterwards")
    assert capfd.readouterr().err == "afterwards"


def test_a_complaint_is_an_error_and_does_not_get_out(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="its JPEG data is corrupt"), complaints_heard():
        os.write(2, b"Corrupt JPEG data")
    assert capfd.readouterr().err == ""


def test_what_is_raised_inside_goes_on() -> None:
    with pytest.raises(KeyError), complaints_heard():
        raise KeyError
    assert os.fstat(2)


def test_corrupt_jpeg_lossless_is_refused_and_not_filled_in(tmp_path: Path) -> None:
    path = through_gdcm(tmp_path, dataset(WAVES[:1]), "JPEGLosslessProcess14_1")
    whole = path.read_bytes()
    assert np.array_equal(next(open_dicom(path).frames()), WAVES[0])
    middle = whole.rindex(b"\xff\xda") + 300
    path.write_bytes(whole[:middle] + b"\xff\xd9" + bytes(len(whole) - middle - 2 - 8) + whole[-8:])
    with pytest.raises(DataError, match="is damaged: its JPEG data is corrupt"):
        list(open_dicom(path).frames())
