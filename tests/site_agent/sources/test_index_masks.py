"""Label maps that an index names, read as they are; what is none is left out in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.phantom.pictures import LOSSLESS, MOTION_JPEG, cine
from federated.errors import DataError
from shared_models.phantom.labels import LABEL_NAMES
from site_agent.sources.index_masks import MASK_NAME, VALUES, MaskFile, read_masks, read_picture

LABELS = np.random.default_rng(1).integers(0, 8, (12, 18), dtype=np.uint8)
CLIP = np.random.default_rng(2).integers(0, 8, (5, 16, 18), dtype=np.uint8)


def _png(path: Path, values: np.ndarray, mode: str | None = None) -> Path:
    image = Image.fromarray(values)
    if mode == "P":
        image = image.convert("P")
        image.putdata(list(values.ravel()))
        image.putpalette([shade for value in range(256) for shade in (value, 255 - value, 7)])
    elif mode is not None:
        image = image.convert(mode)
    image.save(path)
    return path


@pytest.mark.parametrize(
    ("name", "dtype", "mode"),
    [("l.png", np.uint8, None), ("p.png", np.uint8, "P"), ("i.png", np.uint16, None), ("rgb.png", np.uint8, "RGB")],
)
def test_numbers_of_a_picture_come_as_they_are_stored(
    tmp_path: Path, name: str, dtype: type[np.generic], mode: str | None
) -> None:
    drawn, doubts = read_masks([MaskFile(_png(tmp_path / name, LABELS.astype(dtype), mode))], moving=False)
    assert doubts == ()
    (mask,) = drawn
    assert (mask.frame, mask.name, mask.kind) == (0, MASK_NAME, "mask")
    assert mask.values.dtype == np.uint8
    np.testing.assert_array_equal(mask.values, LABELS)


def test_a_still_has_one_frame_whatever_its_number(tmp_path: Path) -> None:
    drawn, _ = read_masks([MaskFile(_png(tmp_path / "a.png", LABELS), 7)], moving=False)
    assert [mask.frame for mask in drawn] == [0]
    drawn, _ = read_masks([MaskFile(tmp_path / "a.png", 7)], moving=True)
    assert [mask.frame for mask in drawn] == [7]


def test_a_whole_clip_has_a_clip_of_values(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(cine(CLIP, 25.0, LOSSLESS))
    drawn, doubts = read_masks([MaskFile(tmp_path / "a.avi")], moving=True)
    assert doubts == ()
    assert [mask.frame for mask in drawn] == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(np.stack([mask.values for mask in drawn]), CLIP)


def _doubt(mask: MaskFile, *, moving: bool = False) -> str:
    drawn, doubts = read_masks([mask], moving=moving)
    assert drawn == ()
    (line,) = doubts
    assert "\n" not in line
    return line


def test_what_is_no_label_map_is_told_in_one_line(tmp_path: Path) -> None:
    text, colours = tmp_path / "text.png", tmp_path / "colours.png"
    text.write_text("no picture")
    _png(colours, np.random.default_rng(0).integers(0, 8, (8, 8, 3), dtype=np.uint8))
    many = _png(tmp_path / "many.png", np.arange(0, 250, 10, dtype=np.uint8).reshape(5, 5))
    one = _png(tmp_path / "one.png", np.full((9, 9), 9, np.uint8))
    assert _doubt(MaskFile(tmp_path / "none.png")) == "its mask is not there, or is no file: left out"
    assert _doubt(MaskFile(text)) == "its mask is not a readable picture: left out"
    assert _doubt(MaskFile(colours)) == "its mask is in colours, where numbers are needed: left out"
    assert _doubt(MaskFile(one, 3), moving=True) == (
        "its mask of frame 3 holds the values 9, which stand for nothing (known are 0 to 7): left out"
    )
    assert "values 10, 20, 30, 40, 50 and 19 more, which" in _doubt(MaskFile(many))


def test_a_clip_where_a_frame_is_meant_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(cine(CLIP, 25.0, LOSSLESS))
    (tmp_path / "lossy.avi").write_bytes(cine(CLIP * 36, 25.0, MOTION_JPEG))
    picture = _png(tmp_path / "a.png", LABELS)
    assert "is of one frame, and its line says not of which" in _doubt(MaskFile(picture), moving=True)
    assert "is a clip, and its line is of one frame" in _doubt(MaskFile(tmp_path / "a.avi", 2), moving=True)
    assert "is a clip, and its line is of one frame" in _doubt(MaskFile(tmp_path / "a.avi"), moving=False)
    assert "stand for nothing" in _doubt(MaskFile(tmp_path / "lossy.avi"), moving=True)


def test_one_that_is_wrong_leaves_the_others(tmp_path: Path) -> None:
    masks = [MaskFile(_png(tmp_path / "a.png", LABELS), 1), MaskFile(tmp_path / "gone.png", 2)]
    masks += [MaskFile(_png(tmp_path / "b.png", LABELS), 1), MaskFile(tmp_path / "b.png", 4)]
    drawn, doubts = read_masks(masks, moving=True)
    assert [mask.frame for mask in drawn] == [1, 4]
    assert doubts == (
        "its mask of frame 2 is not there, or is no file: left out",
        "its mask of frame 1 is the second of that frame: left out",
    )


def test_values_are_those_of_the_phantom() -> None:
    assert frozenset(range(len(LABEL_NAMES))) == VALUES


def test_a_picture_of_no_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        read_picture(tmp_path / "empty.png")
