"""Two images on one grid, or placed onto one by their headers; one line where neither can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federated.errors import DataError
from site_agent.registration.image_files import GreyImage, read_image
from site_agent.registration.placement import PlacedPair, placed, placed_to_align
from tests.site_agent.registration.image_making import blob, grey, nifti_file, oblique, png_file


def volume(path: Path, size: tuple[int, int, int] = (6, 7, 8), lps: np.ndarray | None = None) -> GreyImage:
    return read_image(nifti_file(path, grey(size), lps))


def test_on_one_grid_the_moving_image_stays_as_it_is(tmp_path: Path) -> None:
    moving, fixed = volume(tmp_path / "moving.nii"), volume(tmp_path / "fixed.nii")
    pair = placed(moving, fixed)
    assert not pair.resampled
    assert pair.moving_values is moving.values
    assert pair.taken(moving.values, None) == pytest.approx(moving.values)


def test_another_grid_is_filled_from_the_same_places(tmp_path: Path) -> None:
    ramp = np.indices((20, 22, 24)).astype(np.float32)
    values = 1 + 2 * ramp[0] + 3 * ramp[1] - ramp[2]
    moving = read_image(nifti_file(tmp_path / "moving.nii", values))
    lps = np.diag([2.0, 2.0, 2.0, 1.0])
    lps[:3, 3] = (3, 4, 5)
    fixed = volume(tmp_path / "fixed.nii", (5, 6, 7), lps)
    pair = placed(moving, fixed, resample=True)
    assert pair.resampled
    x, y, z = np.indices((5, 6, 7)) * 2.0 + np.array([3, 4, 5])[:, None, None, None]
    assert pair.moving_values == pytest.approx(1 + 2 * x + 3 * y - z, abs=1e-6)


def test_beyond_the_moving_image_is_nothing(tmp_path: Path) -> None:
    moving, fixed = (png_file(tmp_path / f"{name}.png", grey((8, 9))) for name in ("moving", "fixed"))
    pair = placed(read_image(moving), read_image(fixed))
    field = np.zeros((2, 8, 9), np.float32)
    field[1] = 3
    found = pair.taken(pair.moving.values, field)
    assert np.array_equal(found[:, :6], pair.moving.values[:, 3:])
    assert not found[:, 6:].any()
    field[1] = 0.5
    assert np.array_equal(
        pair.taken(pair.moving.values, field)[:, 8], pair.moving.values[:, 8]
    )  # half a pixel is in it


def test_labels_move_one_by_one(tmp_path: Path) -> None:
    picture = read_image(png_file(tmp_path / "image.png", grey((8, 9))))
    labels = np.zeros((8, 9), np.uint8)
    labels[2:5, 3:6], labels[5:7, 3:6] = 7, 2
    field = np.zeros((2, 8, 9), np.float32)
    field[0] = 1.2
    found = placed(picture, picture).taken_labels(labels, field)
    assert np.array_equal(found[1:6], labels[2:7])
    assert set(np.unique(found)) == {0, 2, 7}


def test_what_does_not_go_together(tmp_path: Path) -> None:
    fixed = volume(tmp_path / "fixed.nii")
    picture = read_image(png_file(tmp_path / "image.png", grey((8, 9))))
    with pytest.raises(DataError, match=r"image\.png: has 2 dimensions, .*fixed\.nii 3; register images of as many"):
        placed(picture, fixed)
    other = volume(tmp_path / "other.nii", (6, 7, 9))
    with pytest.raises(
        DataError, match=r"other\.nii: has 6x7x9 voxels .*6x7x8 voxels of 1x1x1 mm; bring both .*--resample"
    ):
        placed(other, fixed)
    coarse = volume(tmp_path / "coarse.nii", lps=np.diag([1, 1, 1.5, 1.0]))
    with pytest.raises(DataError, match=r"coarse\.nii: has 6x7x8 voxels of 1x1x1.5 mm, .* of 1x1x1 mm; bring"):
        placed(coarse, fixed)
    beside = volume(tmp_path / "beside.nii", lps=oblique((1, 1, 1), (1, 1, 1)))
    with pytest.raises(DataError, match=r"beside\.nii: lies elsewhere in the scanner than .*fixed\.nii; bring"):
        placed(beside, fixed)
    away = volume(tmp_path / "away.nii", lps=oblique((1, 1, 1), (100, 0, 0)))
    for resample in (False, True):
        with pytest.raises(
            DataError, match=r"away\.nii: lies nowhere over .*fixed\.nii by what their headers say; mend"
        ):
            placed(away, fixed, resample=resample)
    spot = np.zeros((6, 7, 8), np.uint8)
    spot[5, 6, 7] = 9
    dark = read_image(nifti_file(tmp_path / "dark.nii", spot, oblique((1, 1, 1), (4, 4, 4))))
    with pytest.raises(DataError, match=r"dark\.nii: shows nothing where .*fixed\.nii lies by what their headers say"):
        placed(dark, fixed, resample=True)
    small = read_image(png_file(tmp_path / "small.png", grey((8, 8))))
    with pytest.raises(
        DataError, match=r"small\.png: has 8x8 pixels of unknown size, .*9x8 pixels .*; bring both to one grid before"
    ):
        placed(small, picture)
    with pytest.raises(DataError, match=r"small\.png: says nowhere where it lies in the scanner; leave out --resample"):
        placed(small, picture, resample=True)


def test_a_blob_is_found_where_its_header_places_it(tmp_path: Path) -> None:
    flipped = np.diag([-1.0, 1.0, 1.0, 1.0])
    flipped[0, 3] = 19
    moving = read_image(nifti_file(tmp_path / "moving.nii", blob((20, 20, 20), (4, 0, 0)), flipped))
    fixed = read_image(nifti_file(tmp_path / "fixed.nii", blob((20, 20, 20), (-4, 0, 0))))
    assert placed(moving, fixed, resample=True).moving_values == pytest.approx(fixed.values, abs=1e-6)


def test_to_be_aligned_images_may_lie_on_any_grids(tmp_path: Path) -> None:
    lps = np.diag([2.0, 1.0, 1.0, 1.0])
    lps[:3, 3] = 900
    moving, fixed = volume(tmp_path / "moving.nii", (6, 7, 8), lps), volume(tmp_path / "fixed.nii", (9, 9, 9))
    pair = placed_to_align(moving, fixed)
    assert pair.matrix[:3, :3] == pytest.approx(np.diag([0.5, 1, 1]))
    assert pair.matrix[:3, 3] == pytest.approx([-450, -900, -900])
    assert not np.ptp(pair.moving_values)
    one, other = (png_file(tmp_path / f"{name}.png", grey((8, name))) for name in (9, 12))
    pictures = placed_to_align(read_image(one, 0.5), read_image(other, 2.0))
    assert pictures.matrix == pytest.approx(np.diag([4, 4, 1]))
    with pytest.raises(DataError, match=r"9\.png: does not say how large its pixels are; say it with --spacing-mm"):
        placed_to_align(read_image(one), read_image(other, 2.0))
    with pytest.raises(DataError, match=r"has 3 dimensions, .*png 2; register images of as many dimensions"):
        placed_to_align(moving, read_image(one))


def test_an_alignment_and_a_field_are_one_field(tmp_path: Path) -> None:
    picture = read_image(png_file(tmp_path / "image.png", grey((20, 24))))
    alignment = np.array([[0.0, -1.0, 19.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    pair = PlacedPair(picture, picture, alignment, alignment)
    field = np.random.default_rng(0).normal(size=(2, 20, 24)).astype(np.float32)
    whole = PlacedPair(picture, picture, np.eye(3)).taken(picture.values, pair.whole(field))
    assert whole == pytest.approx(pair.taken(picture.values, field), abs=1e-9)
    assert PlacedPair(picture, picture, np.eye(3)).whole(field) is field
