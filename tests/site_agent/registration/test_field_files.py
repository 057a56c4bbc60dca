"""What ITK makes of the files is what was made here: the same field, the same warped image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray
from PIL import Image

from federated.errors import ConsiliumError
from site_agent.registration.field_files import (
    VECTOR,
    field_bytes,
    field_in_millimetres,
    image_bytes,
    require_writable,
)
from site_agent.registration.grids import picture_grid
from site_agent.registration.image_files import GreyImage, read_image
from site_agent.registration.placement import PlacedPair, placed
from tests.site_agent.registration.image_making import grey, nifti_file, oblique, png_file

FIELD = "field.nii.gz"


def smooth_field(size: tuple[int, ...], largest: float = 3.0) -> NDArray[np.float32]:
    """(d, *N) voxels, another along each axis, and none of them nought."""
    numbers = [at / n for at, n in zip(np.indices(size), size, strict=True)]
    waves = [np.sin(2 * np.pi * at + k) + 0.3 * (1 + k) for k, at in enumerate(numbers[1:] + numbers[:1])]
    return (largest * np.stack(waves) / 2).astype(np.float32)


def by_itk(folder: Path, moving: Path, fixed: Path) -> NDArray[Any]:
    """The moving image warped by the field that lies in the folder, as ITK resamples it; last axis first."""
    field = SimpleITK.Cast(SimpleITK.ReadImage(str(folder / FIELD)), SimpleITK.sitkVectorFloat64)
    images = [SimpleITK.Cast(SimpleITK.ReadImage(str(path)), SimpleITK.sitkFloat64) for path in (moving, fixed)]
    transform = SimpleITK.DisplacementFieldTransform(field)
    return SimpleITK.GetArrayFromImage(SimpleITK.Resample(images[0], images[1], transform, SimpleITK.sitkLinear, 0.0))


def written(folder: Path, pair: PlacedPair, field: NDArray[np.float32]) -> NDArray[Any]:
    """The warped image as it was made here, once the field is written."""
    grid = pair.fixed.grid
    path = folder / FIELD
    path.write_bytes(field_bytes(path, field_in_millimetres(field, grid), grid))
    return pair.taken(pair.moving.values, field)


def test_itk_warps_pictures_alike(tmp_path: Path) -> None:
    moving, fixed = (png_file(tmp_path / f"{name}.png", grey((40, 52))) for name in ("moving", "fixed"))
    pair = placed(read_image(moving), read_image(fixed))
    ours = written(tmp_path, pair, smooth_field((40, 52)))
    assert by_itk(tmp_path, moving, fixed) == pytest.approx(ours, abs=1e-3)
    assert np.abs(ours - pair.moving.values).max() > 20


def test_itk_warps_oblique_volumes_alike(tmp_path: Path) -> None:
    lps = oblique((1.0, 1.5, 2.0), (-20.0, 35.0, 7.0))
    moving, fixed = (nifti_file(tmp_path / f"{name}.nii.gz", grey((20, 24, 16)), lps) for name in ("moving", "fixed"))
    pair = placed(read_image(moving), read_image(fixed))
    ours = written(tmp_path, pair, smooth_field((20, 24, 16)))
    assert by_itk(tmp_path, moving, fixed).transpose(2, 1, 0) == pytest.approx(ours, abs=1e-2)


def test_itk_warps_from_another_grid_alike(tmp_path: Path) -> None:
    moving = nifti_file(
        tmp_path / "moving.nii.gz", grey((24, 22, 18)), np.diag([-1.2, 1.2, 1.2, 1.0]) + _offset(24, 1, 2)
    )
    fixed = nifti_file(tmp_path / "fixed.nii.gz", grey((20, 24, 16)), oblique((1.0, 1.1, 1.2), (2.0, 2.0, 3.0)))
    pair = placed(read_image(moving), read_image(fixed), resample=True)
    ours = written(tmp_path, pair, smooth_field((20, 24, 16)))
    theirs = by_itk(tmp_path, moving, fixed).transpose(2, 1, 0)
    edge = (theirs == 0) != (ours == 0)  # within a rounding of the moving image's edge
    assert edge.mean() < 0.01
    assert theirs[~edge] == pytest.approx(ours[~edge], abs=1e-2)
    assert (ours > 0).mean() > 0.3


def _offset(*millimetres: float) -> NDArray[np.float64]:
    matrix = np.zeros((4, 4))
    matrix[:3, 3] = millimetres
    return matrix


def test_a_shift_is_in_millimetres_to_the_left_back_and_up(tmp_path: Path) -> None:
    path = nifti_file(tmp_path / "image.nii", grey((6, 7, 8)), np.diag([2.0, 3.0, 4.0, 1.0]))
    grid = read_image(path).grid
    field = np.ones((3, 6, 7, 8), np.float32) * np.array([1, -2, 3], np.float32)[:, None, None, None]
    out = tmp_path / "field.nii"
    out.write_bytes(field_bytes(out, field_in_millimetres(field, grid), grid))
    held: Any = nibabel.load(out)
    assert held.shape == (6, 7, 8, 1, 3)
    assert int(held.header["intent_code"]) == VECTOR == 1007
    assert np.asarray(held.dataobj)[2, 3, 4, 0].tolist() == [2, -6, 12]
    image = SimpleITK.ReadImage(str(out))
    assert image.GetDimension() == 3
    assert image.GetPixel(1, 1, 1) == (2, -6, 12)
    assert image.GetSpacing() == pytest.approx((2, 3, 4))
    assert image.GetOrigin() == pytest.approx((0, 0, 0))


def test_of_a_picture_x_comes_first(tmp_path: Path) -> None:
    grid = picture_grid(5, 9, (0.5, 0.25))
    field = np.stack([np.full((5, 9), 2.0), np.full((5, 9), -4.0)])  # two rows down, four columns to the left
    out = tmp_path / FIELD
    out.write_bytes(field_bytes(out, field_in_millimetres(field, grid), grid))
    image = SimpleITK.ReadImage(str(out))
    assert image.GetSize() == (9, 5)
    assert image.GetPixel(3, 3) == (-1, 1)
    assert image.GetSpacing() == pytest.approx((0.25, 0.5))


def test_images_and_label_maps_come_back(tmp_path: Path) -> None:
    path = nifti_file(tmp_path / "image.nii.gz", grey((6, 7, 8)), oblique((1, 2, 3), (4, 5, 6)))
    image = read_image(path)
    again = tmp_path / "again.nii.gz"
    again.write_bytes(image_bytes(again, image.values, image.grid))
    read = read_image(again)
    assert np.array_equal(read.values, image.values)
    assert read.grid.same_as(image.grid)
    picture = tmp_path / "picture.png"
    picture.write_bytes(image_bytes(picture, np.array([[0.4, 300.0], [-3.0, 7.6]]), picture_grid(2, 2, None)))
    assert np.asarray(Image.open(picture)).tolist() == [[0, 255], [0, 8]]
    with pytest.raises(ConsiliumError, match=r"can hold no volume; name it \.nii\.gz"):
        image_bytes(picture, image.values, image.grid)


def test_the_same_field_is_the_same_file(tmp_path: Path) -> None:
    pair = GreyImage("", np.zeros((4, 4)), picture_grid(4, 4, None))
    path, field = tmp_path / FIELD, smooth_field((4, 4)).astype(np.float64)
    assert field_bytes(path, field, pair.grid) == field_bytes(path, field, pair.grid)


def test_files_that_cannot_be_written_are_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(
        ConsiliumError, match=r"--out .*field\.mha: has an ending that is not written; one of \.nii, \.nii\.gz"
    ):
        require_writable(tmp_path / "field.mha", "--out", picture=False)
    with pytest.raises(ConsiliumError, match="lies in no folder that is there; make the folder first"):
        require_writable(tmp_path / "none" / "warped.png", "--warped", picture=True)
    require_writable(tmp_path / "warped.PNG", "--warped", picture=True)
