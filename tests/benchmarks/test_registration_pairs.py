from __future__ import annotations

import csv

import nibabel
import numpy as np
import pytest

from benchmarks.registration_pairs import (
    BRAIN_SHAPE,
    HIPPOCAMPUS_SHAPE,
    brain_slices,
    brains,
    hippocampi,
    normalised,
    padded_to,
    pairs_of,
    read_volume,
    resampled,
)


def written(folder, images, labels=None, spacing=(1.0, 1.0, 1.0), split="test"):
    """A folder like that of the hippocampi."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    rows = []
    for number, image in enumerate(images):
        marks = (image > image.mean()).astype(np.uint8) if labels is None else labels
        names = [f"{kind}/one_{number}.nii.gz" for kind in ("images", "labels")]
        for name, values in zip(names, (image, marks), strict=True):
            nibabel.save(nibabel.Nifti1Image(values, np.diag([*spacing, 1.0])), folder / name)
        rows.append([*names, split])
    with (folder / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "label", "split"], *rows])
    return folder


@pytest.fixture
def greys():
    generator = np.random.default_rng(0)
    return [generator.integers(0, 1000, (9, 10, 11)).astype(np.int16) for _ in range(3)]


def test_images_lie_in_the_middle_of_one_shape(tmp_path, greys):
    found = hippocampi(written(tmp_path / "a", greys), "test", (16, 16, 16))
    assert [scan.name for scan in found] == ["one_0", "one_1", "one_2"]
    for scan, grey in zip(found, greys, strict=True):
        assert scan.image.shape == scan.labels.shape == (16, 16, 16)
        assert scan.image[3:12, 3:13, 2:13] == pytest.approx(normalised(grey))
        assert np.array_equal(scan.labels[3:12, 3:13, 2:13], grey > grey.mean())
        assert scan.image.sum() == pytest.approx(scan.image[3:12, 3:13, 2:13].sum())


def test_voxels_that_are_no_cubes_are_resampled(tmp_path, greys):
    smooth = [np.broadcast_to(np.arange(10.0, dtype=np.float32), (10, 10, 10)).copy()]
    scan = hippocampi(written(tmp_path / "a", smooth, spacing=(1.0, 1.0, 2.0)), "test", (10, 10, 20))[0]
    assert scan.image[5, 5] == pytest.approx(np.linspace(0, 1, 20), abs=0.06)
    assert scan.labels[5, 5].sum() == 10
    assert resampled(greys[0], (1.0, 1.001, 1.0), 1) is greys[0]
    assert resampled(greys[0], (0.5, 1.0, 1.0), 1).shape == (4, 10, 11)


def test_volumes_are_turned_to_one_orientation(tmp_path, greys):
    path = tmp_path / "turned.nii"
    nibabel.save(nibabel.Nifti1Image(greys[0], np.diag([-2.0, 1.0, 1.0, 1.0])), path)
    values, spacing = read_volume(path)
    assert np.array_equal(values, greys[0][::-1])
    assert spacing == (2.0, 1.0, 1.0)


def test_every_image_is_paired_with_every_other(tmp_path, greys):
    scans = hippocampi(written(tmp_path / "a", greys), "test", (16, 16, 16))
    all_pairs = list(pairs_of(scans))
    assert len({pair.name for pair in all_pairs}) == 6
    assert all_pairs[0].moving is scans[0].image
    assert all_pairs[0].fixed_labels is scans[1].labels
    assert all_pairs[0].displacement is None
    few = [pair.name for pair in pairs_of(scans, 4, seed=1)]
    assert few == [pair.name for pair in pairs_of(scans, 4, seed=1)]
    assert len(set(few)) == 4


def test_greys_are_those_between_the_percentiles():
    assert normalised(np.arange(101.0)) == pytest.approx(np.clip((np.arange(101) - 1) / 98, 0, 1))
    assert not normalised(np.full((3, 3), 7)).any()


def test_what_cannot_be_read_is_told_in_one_line(tmp_path, greys):
    good = written(tmp_path / "a", greys)
    with pytest.raises(ValueError, match=r"has no images of a split 'validation'"):
        hippocampi(good, "validation")
    with pytest.raises(ValueError, match=r"index.csv: cannot be read"):
        hippocampi(tmp_path, "test")
    with pytest.raises(ValueError, match=r"images/one_0.nii.gz: 9x10x11 voxels do not fit into 8x16x16"):
        hippocampi(good, "test", (8, 16, 16))
    with pytest.raises(ValueError, match=r"do not fit into 16x16"):
        padded_to(greys[0], (16, 16), "one")
    (good / "images/one_1.nii.gz").write_bytes((good / "images/one_1.nii.gz").read_bytes()[:300])
    with pytest.raises(ValueError, match=r"one_1.nii.gz: cannot be read as a NIfTI volume"):
        hippocampi(good, "test", (16, 16, 16))
    with pytest.raises(ValueError, match=r"missing.nii.gz: cannot be read as a NIfTI volume"):
        read_volume(tmp_path / "missing.nii.gz")


def test_values_and_shapes_that_do_not_match_are_told_in_one_line(tmp_path, greys):
    other = np.zeros((9, 10, 12), np.uint8)
    with pytest.raises(ValueError, match=r"labels/one_0.nii.gz: has shape 9x10x12, its image 9x10x11"):
        hippocampi(written(tmp_path / "a", greys, other), "test")
    with pytest.raises(ValueError, match=r"labels/one_0.nii.gz: holds the label 5; known are 0, 1 and 2"):
        hippocampi(written(tmp_path / "b", greys, np.full((9, 10, 11), 5, np.uint8)), "test")
    empty = [np.full((4, 4, 4), np.nan, np.float32)]
    with pytest.raises(ValueError, match=r"images/one_0.nii.gz: is no volume of finite numbers"):
        hippocampi(written(tmp_path / "c", empty), "test")


def test_real_hippocampi_are_read_as_their_index_says(shared_data):
    folder = shared_data / "msd_hippocampus"
    if not (folder / "index.csv").exists():
        pytest.skip(f"no real data to read: {folder} is not there")
    with (folder / "index.csv").open(newline="") as file:
        index = {row["image"].split("/")[1].partition(".")[0]: row for row in csv.DictReader(file)}
    train, test = (hippocampi(folder, split) for split in ("train", "test"))
    assert {scan.name for scan in train} | {scan.name for scan in test} == set(index)
    assert not {scan.name for scan in train} & {scan.name for scan in test}
    for scan in (*train, *test):
        assert scan.image.shape == scan.labels.shape == HIPPOCAMPUS_SHAPE
        counted = np.bincount(scan.labels.ravel(), minlength=3)[1:]
        assert [str(count) for count in counted] == [
            index[scan.name][name] for name in ("anterior_voxels", "posterior_voxels")
        ]
        assert scan.image.min() == 0
        assert scan.image.max() == 1


def test_real_brains_are_read(shared_data):
    folder = shared_data / "ants_brain"
    if not folder.is_dir():
        pytest.skip(f"no real data to read: {folder} is not there")
    first, second = brains(folder)
    assert first.image.shape == second.image.shape == BRAIN_SHAPE
    assert first.spacing_mm == second.spacing_mm == (2.0, 2.0, 2.0)
    assert np.corrcoef(first.image.ravel(), second.image.ravel())[0, 1] > 0.7
    slices = brain_slices(folder)
    assert len(slices) == 6
    assert {scan.image.shape for scan in slices} == {(256, 256)}
    assert len(list(pairs_of(slices))) == 30
