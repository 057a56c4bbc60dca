"""Images of every form that is read, and one line for what cannot be registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from federated.errors import DataError
from site_agent.registration.image_files import read_image, read_labels
from tests.site_agent.registration.image_making import grey, nifti_file, oblique, png_file


def test_a_volume_lies_where_itk_says(tmp_path: Path) -> None:
    path = nifti_file(tmp_path / "volume.nii.gz", grey((6, 7, 8)), oblique((1, 1.5, 2), (-20, 35, 7)))
    image, theirs = read_image(path), SimpleITK.ReadImage(str(path))
    assert np.array_equal(image.values.transpose(2, 1, 0), SimpleITK.GetArrayFromImage(theirs))
    place = theirs.TransformIndexToPhysicalPoint((1, 2, 3))
    assert (image.grid.matrix @ [1, 2, 3, 1])[:3] == pytest.approx(place, abs=1e-4)
    assert image.grid.placed
    assert image.grid.known


@pytest.mark.parametrize("ending", ["mha", "nii.gz"])
def test_itks_own_files_are_read_alike(tmp_path: Path, ending: str) -> None:
    made = SimpleITK.GetImageFromArray(grey((8, 7, 6)))
    matrix = oblique((1, 1, 1), (0, 0, 0))
    made.SetDirection(matrix[:3, :3].ravel().tolist())
    made.SetSpacing((1.0, 1.5, 2.0))
    made.SetOrigin((3.0, -4.0, 5.0))
    path = tmp_path / f"volume.{ending}"
    SimpleITK.WriteImage(made, str(path))
    image = read_image(path)
    assert image.values.shape == (6, 7, 8)
    assert np.array_equal(image.values, grey((8, 7, 6)).transpose(2, 1, 0))
    place = made.TransformIndexToPhysicalPoint((5, 2, 3))
    assert (image.grid.matrix @ [5, 2, 3, 1])[:3] == pytest.approx(place, abs=1e-4)


@pytest.mark.parametrize("ending", ["mha", "nii.gz"])
def test_a_plane_is_an_image_in_2d(tmp_path: Path, ending: str) -> None:
    made = SimpleITK.GetImageFromArray(grey((8, 7)))
    made.SetSpacing((0.5, 0.25))
    made.SetOrigin((3.0, -4.0))
    path = tmp_path / f"plane.{ending}"
    SimpleITK.WriteImage(made, str(path))
    image = read_image(path)
    assert np.array_equal(image.values, grey((8, 7)))
    assert image.grid.spacing == pytest.approx((0.25, 0.5))
    place = made.TransformIndexToPhysicalPoint((5, 2))
    assert (image.grid.matrix @ [2, 5, 1])[:2] == pytest.approx(place, abs=1e-5)


def test_of_a_picture_a_person_says_the_size_of_a_pixel(tmp_path: Path) -> None:
    path = png_file(tmp_path / "image.png", grey((8, 9)))
    assert not read_image(path).grid.known
    assert read_image(path, 0.3).grid.spacing == (0.3, 0.3)
    assert np.array_equal(read_image(path).values, grey((8, 9)))


def test_stored_values_are_scaled(tmp_path: Path) -> None:
    import nibabel

    image = nibabel.Nifti1Image(grey((5, 6, 7)).astype(np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, -3)
    image.to_filename(tmp_path / "scaled.nii")
    held: Any = nibabel.load(tmp_path / "scaled.nii")
    assert read_image(tmp_path / "scaled.nii").values == pytest.approx(np.asarray(held.get_fdata()))


def test_what_cannot_be_registered_is_told_in_one_line(tmp_path: Path) -> None:
    values = grey((6, 7, 8)).astype(np.float32)
    values[2, 3, 4] = np.nan
    with pytest.raises(DataError, match=r"nan\.nii: holds values that are no numbers \(NaN or infinite\); replace"):
        read_image(nifti_file(tmp_path / "nan.nii", values))
    with pytest.raises(DataError, match=r"flat\.nii: shows nothing: every voxel has the same value"):
        read_image(nifti_file(tmp_path / "flat.nii", np.full((6, 7, 8), 3, np.uint8)))
    with pytest.raises(DataError, match=r"flat\.png: shows nothing"):
        read_image(png_file(tmp_path / "flat.png", np.full((16, 16), 3, np.uint8)))
    with pytest.raises(DataError, match=r"four\.nii: has neither two nor three dimensions"):
        read_image(nifti_file(tmp_path / "four.nii", grey((4, 5, 6, 2))))
    with pytest.raises(DataError, match=r"none\.nii: is not there"):
        read_image(tmp_path / "none.nii")
    with pytest.raises(DataError, match=r"big\.nii\.gz: has 300x300x300 voxels, at most 16.8 million are registered"):
        read_image(nifti_file(tmp_path / "big.nii.gz", np.zeros((300, 300, 300), np.uint8)))


def test_a_clip_is_no_single_image(tmp_path: Path) -> None:
    from PIL import Image

    frames = [Image.fromarray(grey((32, 32)) // (1 + k)) for k in range(3)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="is a clip, and no single image; follow clips with: consilium site motion"):
        read_image(tmp_path / "clip.gif")


def test_label_maps_lie_on_their_image(tmp_path: Path) -> None:
    image = read_image(nifti_file(tmp_path / "image.nii", grey((6, 7, 8))))
    drawn = np.zeros((6, 7, 8), np.uint8)
    drawn[2:4] = 5
    labels = read_labels(nifti_file(tmp_path / "labels.nii", drawn), image)
    assert np.array_equal(labels, drawn)
    picture = read_image(png_file(tmp_path / "image.png", grey((8, 9))))
    with pytest.raises(
        DataError, match=r"labels\.nii: has 6x7x8 voxels of 1x1x1 mm, its image .*image\.png 9x8 pixels"
    ):
        read_labels(tmp_path / "labels.nii", picture)
    with pytest.raises(DataError, match=r"half\.nii: holds values that are no labels from 0 to 255"):
        read_labels(nifti_file(tmp_path / "half.nii", drawn + np.float32(0.5)), image)
    with pytest.raises(DataError, match=r"moved\.nii: has .* do not lie on each other"):
        read_labels(nifti_file(tmp_path / "moved.nii", drawn, oblique((1, 1, 1), (9, 9, 9))), image)
    with pytest.raises(DataError, match=r"empty\.nii: holds no label but 0"):
        read_labels(nifti_file(tmp_path / "empty.nii", drawn * 0), image)
    with pytest.raises(
        DataError, match=r"labels\.txt: is no label map that is read; save it as NIfTI, MetaImage or PNG"
    ):
        read_labels(tmp_path / "labels.txt", image)


def test_a_picture_of_labels_keeps_its_numbers(tmp_path: Path) -> None:
    drawn = np.zeros((8, 9), np.uint8)
    drawn[2:5, 3:7] = 3
    image = read_image(png_file(tmp_path / "image.png", grey((8, 9))))
    assert np.array_equal(read_labels(png_file(tmp_path / "labels.png", drawn), image), drawn)
