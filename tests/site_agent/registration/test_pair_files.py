"""A pair from files to files, written whole or not at all; real images where they are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image

from federated.errors import ConsiliumError
from site_agent.registration import pair_files
from site_agent.registration.one_pair import Settings
from site_agent.registration.pair_files import Files, register_files
from tests.site_agent.registration.image_making import blob, nifti_file, png_file

SIZE = (32, 40)
QUICK = Settings("mse", steps=30)


def spot(folder: Path, name: str, shift: tuple[float, float]) -> Path:
    return png_file(folder / f"{name}.png", blob(SIZE, shift).astype(np.uint8))


def marks(folder: Path, name: str, shift: tuple[float, float]) -> Path:
    return png_file(folder / f"{name}.png", np.where(blob(SIZE, shift) > 100, 4, 0).astype(np.uint8))


def test_everything_that_is_named_is_written(tmp_path: Path) -> None:
    files = Files(
        spot(tmp_path, "moving", (2, -3)),
        spot(tmp_path, "fixed", (0, 0)),
        tmp_path / "field.nii.gz",
        warped=tmp_path / "warped.png",
        labels=marks(tmp_path, "moving-labels", (2, -3)),
        warped_labels=tmp_path / "labels.png",
        fixed_labels=marks(tmp_path, "fixed-labels", (0, 0)),
        spacing_mm=0.5,
    )
    found = register_files(files, QUICK)
    assert found.dice["4"].before < 0.7
    assert found.dice["4"].after > 0.9
    assert found.folded_percent == 0
    assert found.method == "descent on a velocity"
    assert found.largest_mm == pytest.approx(found.largest_voxels / 2)
    assert found.files == tuple(str(tmp_path / name) for name in ("field.nii.gz", "warped.png", "labels.png"))
    warped, fixed = (np.asarray(Image.open(tmp_path / name), float) for name in ("warped.png", "fixed.png"))
    assert np.abs(warped - fixed).mean() < 2
    assert set(np.unique(np.asarray(Image.open(tmp_path / "labels.png")))) == {0, 4}


def test_an_alignment_is_part_of_the_field(tmp_path: Path) -> None:
    spots = [blob((24, 28, 26), (by, by, 0), 4) for by in (4, 0)]
    moving, fixed = (nifti_file(tmp_path / f"{k}.nii", each) for k, each in enumerate(spots))
    files = Files(moving, fixed, tmp_path / "field.nii.gz", warped=tmp_path / "warped.nii.gz", align="translation")
    found = register_files(files, Settings("mse", way="forces"))
    assert found.alignment == "translation"
    assert found.aligned is not None
    assert found.aligned < 0.05 * found.before
    assert found.mean_voxels == pytest.approx(4 * 2**0.5, abs=0.5)
    assert "mse, translation alignment" in dict(found.rows())
    field, image = (SimpleITK.ReadImage(str(tmp_path / name)) for name in ("field.nii.gz", "warped.nii.gz"))
    transform = SimpleITK.DisplacementFieldTransform(SimpleITK.Cast(field, SimpleITK.sitkVectorFloat64))
    stored = SimpleITK.Cast(SimpleITK.ReadImage(str(moving)), SimpleITK.sitkFloat64)
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.Resample(stored, image, transform, SimpleITK.sitkLinear, 0.0))
    assert theirs == pytest.approx(SimpleITK.GetArrayFromImage(image), abs=0.01)
    assert np.abs(theirs - spots[1].T).mean() < 1


def test_dice_is_told_between_alignment_and_the_rest(tmp_path: Path) -> None:
    files = Files(
        spot(tmp_path, "moving", (6, -6)),
        spot(tmp_path, "fixed", (0, 0)),
        tmp_path / "field.nii.gz",
        labels=marks(tmp_path, "moving-labels", (6, -6)),
        fixed_labels=marks(tmp_path, "fixed-labels", (0, 0)),
        align="rigid",
    )
    dice = register_files(files, Settings("mse", way="forces")).dice["4"]
    assert dice.aligned is not None
    assert dice.before < 0.3
    assert dice.aligned > 0.9
    assert str(dice).endswith(f"{dice.aligned:.3f} aligned, {dice.after:.3f} after")


def test_stopped_half_way_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pair_files, "register_pair", stopped)
    files = Files(spot(tmp_path, "moving", (2, 0)), spot(tmp_path, "fixed", (0, 0)), tmp_path / "field.nii.gz")
    with pytest.raises(KeyboardInterrupt):
        register_files(files, QUICK)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fixed.png", "moving.png"]


def test_mistakes_are_told_before_any_work(tmp_path: Path) -> None:
    moving, fixed, out = spot(tmp_path, "moving", (2, 0)), spot(tmp_path, "fixed", (0, 0)), tmp_path / "field.nii.gz"
    with pytest.raises(ConsiliumError, match="--warped-labels: needs a label map to move; name it with --labels"):
        Files(moving, fixed, out, warped_labels=tmp_path / "labels.png")
    with pytest.raises(ConsiliumError, match="--fixed-labels: needs a label map to move"):
        Files(moving, fixed, out, fixed_labels=fixed)
    with pytest.raises(ConsiliumError, match=r"moving\.png: is named twice; name another file to write"):
        Files(moving, fixed, out, warped=moving)
    with pytest.raises(ConsiliumError, match="--align 'elastic': is no alignment; there are translation, rigid"):
        Files(moving, fixed, out, align="elastic")
    with pytest.raises(ConsiliumError, match="--spacing-mm: is 0; millimetres above 0"):
        Files(moving, fixed, out, spacing_mm=0)
    with pytest.raises(ConsiliumError, match="--refine: needs a network to refine; name one with --weights"):
        register_files(Files(moving, fixed, out), Settings(refine=3))
    volume = nifti_file(tmp_path / "volume.nii", blob((8, 8, 8), (0, 0, 0)))
    with pytest.raises(ConsiliumError, match=r"warped\.png: can hold no volume; name it \.nii\.gz"):
        register_files(Files(volume, volume, out, warped=tmp_path / "warped.png"), QUICK)


def test_real_slices_of_brains_come_nearer(shared_data: Path, tmp_path: Path) -> None:
    brains = shared_data / "ants_brain"
    small = [Image.open(brains / f"{name}slice.jpg").convert("L").resize((64, 64)) for name in ("r16", "r64")]
    moving, fixed = (png_file(tmp_path / f"{k}.png", np.asarray(image)) for k, image in enumerate(small))
    found = register_files(Files(moving, fixed, tmp_path / "field.nii.gz"), Settings(steps=30))
    assert found.after < found.before - 0.1
    assert found.folded_percent == 0


def test_real_hippocampi_are_on_other_grids(shared_data: Path, tmp_path: Path) -> None:
    scans = sorted((shared_data / "msd_hippocampus" / "images").glob("*.nii.gz"))[:2]
    with pytest.raises(ConsiliumError, match=r"voxels of 1x1x1 mm; bring both to one grid, or say --resample"):
        register_files(Files(scans[0], scans[1], tmp_path / "field.nii.gz"), QUICK)


def test_real_hippocampi_come_together_by_an_alignment(shared_data: Path, tmp_path: Path) -> None:
    scans = sorted((shared_data / "msd_hippocampus" / "images").glob("*.nii.gz"))[:2]
    maps = [scan.parents[1] / "labels" / scan.name for scan in scans]
    files = Files(scans[0], scans[1], tmp_path / "f.nii.gz", labels=maps[0], fixed_labels=maps[1], align="rigid")
    found = register_files(files, Settings(way="forces"))
    anterior, posterior = found.dice["1"], found.dice["2"]
    assert anterior.aligned is not None
    assert posterior.aligned is not None
    assert anterior.before + 0.2 < anterior.aligned < anterior.after
    assert posterior.before < 0.05
    assert 0.7 < posterior.aligned < posterior.after
