"""What a file is, its first bytes say; its name counts only where they say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federated.errors import DataError
from site_agent.sources import files as module
from site_agent.sources.files import SUFFIXES, open_file, opener_of
from tests.site_agent.sources.dicom_making import WAVES, dataset, write
from tests.site_agent.sources.test_images import RAMP, cine, gif, still


def _dicom(folder: Path) -> bytes:
    return write(folder / "made", dataset(WAVES)).read_bytes()


@pytest.mark.parametrize("name", ["a", "a.avi", "a.dcm", "a.png", "a.bmp", "a.mhd", "Mustermann.1", "a.txt"])
@pytest.mark.parametrize("content", ["png", "jpeg", "bmp", "tiff", "gif", "avi", "mp4", "mov", "mpeg", "dicom"])
def test_a_wrong_ending_is_read_by_its_content(tmp_path: Path, content: str, name: str) -> None:
    codecs = {"avi": "mjpeg", "mp4": "mpeg4", "mov": "mpeg4", "mpeg": "mpeg2video"}
    if content in codecs:
        data = cine(3, content, codecs[content], "yuvj420p" if content == "avi" else "yuv420p")
    elif content == "gif":
        data = gif(3)
    else:
        data = _dicom(tmp_path) if content == "dicom" else still(RAMP, content.upper())
    (tmp_path / name).write_bytes(data)
    opened = open_file(tmp_path / name)
    frames = list(opened.frames())
    assert opened.moving == (content in {*codecs, "gif", "dicom"})
    assert len(frames) == (3 if opened.moving else 1)
    assert frames[0].shape[:2] == (WAVES.shape[1:] if content == "dicom" else RAMP.shape)


def test_where_bytes_say_nothing_the_name_decides(tmp_path: Path) -> None:
    for name, opener in (
        ("a.png", module.open_still),
        ("a.MP4", module.open_cine),
        ("a.dcm", module._open_dicom),
        ("a.mhd", module._open_metaimage),
        ("a.nii.gz", module._open_nifti),
    ):
        (tmp_path / name).write_bytes(b"what is this?")
        assert opener_of(tmp_path / name) is opener
        with pytest.raises(DataError):
            open_file(tmp_path / name)


def test_a_metaimage_is_read(tmp_path: Path) -> None:
    lines = ["NDims = 2", "DimSize = 48 40", "ElementType = MET_UCHAR", "ElementDataFile = LOCAL", ""]
    (tmp_path / "a.mha").write_bytes("\n".join(lines).encode() + RAMP.tobytes())
    assert np.array_equal(next(open_file(tmp_path / "a.mha").frames()), RAMP)


def test_a_foreign_file_is_told_with_the_known_endings(tmp_path: Path) -> None:
    (tmp_path / "letter.docx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"files ending in '.docx' are not read; known are .avi .*png"):
        open_file(tmp_path / "letter.docx")
    assert {".png", ".avi", ".dcm", ".mhd", ".gif"} <= SUFFIXES


def test_what_is_no_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    for path, reason in ((tmp_path, "no file"), (tmp_path / "x.png", "not there"), (tmp_path / "empty.png", "empty")):
        with pytest.raises(DataError, match=reason) as caught:
            open_file(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        opener_of(tmp_path / "x.png")
