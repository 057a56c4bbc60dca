"""Pictures as a network takes them: made square, brought to size, and what was done is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.errors import DataError
from shared_models.phantom.volumes import PLANE_PIXELS
from site_agent.reconstruction.pictures import read_walls, squared
from site_agent.reconstruction.view_names import Named

WALLS = np.zeros((PLANE_PIXELS, PLANE_PIXELS), np.uint8)
WALLS[60:160, 80:120], WALLS[60:160, 150:160] = 255, 153


def _named(path: Path, pixels: np.ndarray) -> Named:
    Image.fromarray(pixels).save(path)
    return Named("A4C", path)


def test_a_picture_of_the_right_size_is_taken_as_it_is(tmp_path: Path) -> None:
    read = read_walls(_named(tmp_path / "A4C.png", WALLS), 0.7)
    np.testing.assert_array_equal(read.plane, WALLS.astype(np.float32) / 255)
    assert (read.view, read.pixel_mm, read.doubts) == ("A4C", 0.7, ())


def test_an_oblong_picture_is_set_in_a_square_of_the_same_scale(tmp_path: Path) -> None:
    wide = np.zeros((224, 448), np.uint8)
    wide[100:124, 200:248] = 255
    read = read_walls(_named(tmp_path / "A4C.png", wide), 0.5)
    rows, columns = np.nonzero(read.plane > 0.5)
    assert (rows.mean(), columns.mean()) == pytest.approx((111.5, 111.5))
    assert (len(set(rows)), len(set(columns))) == (12, 24)
    assert read.pixel_mm == 1.0
    assert [line.split()[0] for line in read.doubts] == ["448x224", "448"]


def test_colours_count_as_grey_and_an_unknown_size_stays_unknown(tmp_path: Path) -> None:
    read = read_walls(_named(tmp_path / "A4C.png", np.stack([WALLS] * 3, axis=2)), None)
    np.testing.assert_array_equal(read.plane, WALLS.astype(np.float32) / 255)
    assert read.pixel_mm is None


def test_what_looks_like_ultrasound_is_doubted(tmp_path: Path) -> None:
    speckle = np.random.default_rng(1).integers(0, 256, WALLS.shape, dtype=np.uint8)
    (doubt,) = read_walls(_named(tmp_path / "A4C.png", speckle), None).doubts
    assert "--segment" in doubt


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.full((224, 224), 90, np.uint8), "is empty: every pixel has the same value"),
        (np.full((224, 224), np.nan, np.float32), "holds values that are not numbers"),
        (np.zeros((4, 4), np.uint8), "has 4x4 pixels"),
    ],
)
def test_what_shows_nothing_is_one_line(tmp_path: Path, pixels: np.ndarray, told: str) -> None:
    path = tmp_path / "A4C.tif"
    with pytest.raises(DataError) as error:
        read_walls(_named(path, pixels), None)
    assert str(error.value).startswith(f"{path}: {told}")


def test_a_damaged_or_missing_file_is_one_line(tmp_path: Path) -> None:
    named = _named(tmp_path / "A4C.png", WALLS)
    named.path.write_bytes(named.path.read_bytes()[:200])
    for path, told in ((named.path, "is not a readable image"), (tmp_path / "none.png", "is not there")):
        with pytest.raises(DataError) as error:
            read_walls(Named("A4C", path), None)
        assert str(error.value).startswith(f"{path}: {told}")


def test_a_square_of_another_size_keeps_its_mean() -> None:
    image = np.random.default_rng(2).integers(0, 256, (448, 448), dtype=np.uint8)
    plane, wide, done = squared(image)
    assert (plane.shape, str(plane.dtype), wide) == ((224, 224), "float32", 2.0)
    assert plane.mean() == pytest.approx(image.mean() / 255, abs=1e-3)
    assert done == ("448 pixels a side were brought to 224",)
