"""The NIfTI release, read with nibabel."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from deploy.phantom.exports.camus_clips import half_beats
from deploy.phantom.exports.layout import patient_of
from shared_models.phantom.labels import LA, LV, MYOCARDIUM

Export = tuple[Path, Any]


@pytest.fixture
def export(exported: Callable[..., Export]) -> Export:
    return exported("camus", patients=6, frames=8, size=96)


def _nifti(path: Path | str) -> Any:
    return nibabel.load(path)


def _cfg(path: Path) -> dict[str, str]:
    return dict(line.split(": ") for line in path.read_text().splitlines())


def test_the_folders_are_those_of_the_release(export: Export) -> None:
    root = export[0] / "CAMUS_public"
    assert sorted(path.name for path in root.iterdir()) == ["database_nifti", "database_split"]
    patients = sorted(path.name for path in (root / "database_nifti").iterdir())
    assert patients == [f"patient{number:04d}" for number in range(1, 7)]
    files = {path.name for path in (root / "database_nifti" / "patient0001").iterdir()}
    wanted = {
        f"patient0001_{view}_{what}{gt}.nii.gz"
        for view in ("2CH", "4CH")
        for what in ("ED", "ES", "half_sequence")
        for gt in ("", "_gt")
    }
    assert files == wanted | {"Info_2CH.cfg", "Info_4CH.cfg"}
    lists = {path.name: path.read_text().split() for path in (root / "database_split").iterdir()}
    assert set(lists) == {f"subgroup_{part}.txt" for part in ("training", "validation", "testing")}
    assert sorted(name for names in lists.values() for name in names) == patients
    assert all(lists.values())


@pytest.mark.parametrize("view", ["2CH", "4CH"])
def test_the_cfg_tells_the_frames_of_the_half_sequence(export: Export, view: str) -> None:
    folder, order = export
    orders = set()
    for number in range(1, 7):
        name, patient = f"patient{number:04d}", patient_of(order, number)
        stem = folder / "CAMUS_public" / "database_nifti" / name
        said = _cfg(stem / f"Info_{view}.cfg")
        assert list(said) == ["ED", "ES", "NbFrame", "Sex", "Age", "ImageQuality", "EF", "FrameRate"]
        assert (said["Sex"], int(said["Age"])) == (patient.sex, patient.age)
        assert float(said["EF"]) == pytest.approx(patient.parameters.ejection_fraction, abs=0.5)
        assert said["ImageQuality"] in {"Good", "Medium", "Poor"}
        for gt in ("", "_gt"):
            sequence = np.asarray(_nifti(stem / f"{name}_{view}_half_sequence{gt}.nii.gz").dataobj)
            assert sequence.shape[2] == int(said["NbFrame"])
            for moment in ("ED", "ES"):
                still = np.asarray(_nifti(stem / f"{name}_{view}_{moment}{gt}.nii.gz").dataobj)
                np.testing.assert_array_equal(still, sequence[:, :, int(said[moment]) - 1])
        cavity = (sequence == 1).sum(axis=(0, 1))
        assert cavity[int(said["ED"]) - 1] > cavity[int(said["ES"]) - 1]
        orders.add(int(said["ED"]) < int(said["ES"]))
    assert orders == {True, False}, "end-diastole may come last"


def test_pixels_labels_and_spacing_are_those_of_the_phantom(export: Export) -> None:
    folder, order = export
    for beat in half_beats(order, 2):
        stem = folder / "CAMUS_public" / "database_nifti" / "patient0002" / f"patient0002_{beat.view}"
        image = _nifti(f"{stem}_half_sequence.nii.gz")
        truth = _nifti(f"{stem}_half_sequence_gt.nii.gz")
        assert image.get_data_dtype() == truth.get_data_dtype() == np.uint8
        assert image.header.get_zooms()[:2] == pytest.approx((beat.clip.take.spacing_mm,) * 2, rel=1e-6)
        assert image.header.get_xyzt_units()[0] == "mm"
        np.testing.assert_array_equal(np.asarray(image.dataobj).T, beat.clip.masked)
        ours, theirs = beat.clip.labels, np.asarray(truth.dataobj).T
        for label, value in ((LV, 1), (MYOCARDIUM, 2), (LA, 3)):
            np.testing.assert_array_equal(theirs == value, ours == label)
        assert set(np.unique(theirs)) == {0, 1, 2, 3}


def test_the_rate_is_that_of_the_frames(export: Export) -> None:
    folder, order = export
    said = _cfg(folder / "CAMUS_public" / "database_nifti" / "patient0001" / "Info_4CH.cfg")
    beat = next(each for each in half_beats(order, 1) if each.view == "4CH")
    assert float(said["FrameRate"]) == pytest.approx(1 / np.diff(beat.clip.take.times_s).mean(), abs=0.06)


def test_gzip_holds_no_time_and_no_name(export: Export) -> None:
    path = next(export[0].rglob("*_ED.nii.gz"))
    head = path.read_bytes()[:10]
    assert head[4:8] == bytes(4), "seconds since 1970"
    assert head[3] == 0, "no name"
    assert len(gzip.decompress(path.read_bytes())) == 352 + 96 * 96
