from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from deploy.phantom.exports.camus_clips import half_beats
from deploy.phantom.exports.layout import part_of, patient_of
from site_agent.sources.camus import CamusSource, fold_by_number
from site_agent.sources.source import Item, Refused
from tests.site_agent.sources.conftest import Exported

SOURCE = CamusSource()


def _items(folder: Path) -> list[Item]:
    found = list(SOURCE.scan(folder))
    assert not [each for each in found if isinstance(each, Refused)]
    return [each for each in found if isinstance(each, Item)]


def test_the_phantom_comes_back_as_it_was(exported: Exported) -> None:
    folder, order = exported("camus", patients=6, frames=8, size=96)
    assert SOURCE.recognises(folder)
    items = iter(_items(folder))
    for number in range(1, 7):
        patient = patient_of(order, number)
        for beat in half_beats(order, number):
            item = next(items)
            opened = SOURCE.open(pickle.loads(pickle.dumps(item)))
            facts = opened.facts
            fold = {"train": "train", "val": "validation", "test": "test"}[part_of(number)]
            assert (item.patient, item.label, item.fold) == (f"patient{number:04d}", beat.view, fold)
            assert (facts.doubts, facts.masked, opened.count) == ((), True, 4)
            assert (facts.end_diastole, facts.end_systole) == (beat.diastole, beat.systole)
            assert facts.ejection_fraction == pytest.approx(beat.clip.ejection_fraction, abs=0.5)
            assert facts.spacing_mm == pytest.approx((beat.clip.take.spacing_mm,) * 2, rel=1e-6)
            assert facts.rate_hz == pytest.approx(beat.clip.take.rate_hz, abs=0.05)
            assert facts.measures["age_years"] == pytest.approx(patient.age, abs=0.5)
            sex = {"F": "female", "M": "male"}[patient.sex]
            assert facts.words == {"sex": sex, "image_quality": beat.quality.lower()}
            np.testing.assert_array_equal(list(opened.frames()), beat.images)
            drawn = opened.annotations()
            assert [each.frame for each in drawn] == [0, 1, 2, 3]
            np.testing.assert_array_equal([each.values for each in drawn], beat.truth)
    assert next(items, None) is None


def test_any_of_its_folders_may_be_named(exported: Exported) -> None:
    folder, _ = exported("camus", patients=6, frames=8, size=96)
    for inside in ("CAMUS_public", "CAMUS_public/database_nifti"):
        assert SOURCE.recognises(folder / inside)
        assert [item.path for item in _items(folder / inside)] == [item.path for item in _items(folder)]
        assert [item.fold for item in _items(folder / inside)] == [item.fold for item in _items(folder)]


@pytest.mark.parametrize(
    ("number", "fold"),
    [(1, "train"), (400, "train"), (401, "validation"), (450, "validation"), (451, "test"), (500, "test"), (501, None)],
)
def test_without_lists_the_number_says_the_fold(number: int, fold: str | None) -> None:
    assert fold_by_number(f"patient{number:04d}") == fold


def _make(root: Path, *patients: str) -> None:
    for patient in patients:
        folder = root / "database_nifti" / patient
        folder.mkdir(parents=True)
        (folder / f"{patient}_2CH_half_sequence.nii.gz").write_bytes(b"garbage")


def test_a_list_that_is_not_there_is_told_and_nobody_is_guessed(tmp_path: Path) -> None:
    _make(tmp_path, "patient0001", "patient0451")
    assert [each.fold for each in SOURCE.scan(tmp_path) if isinstance(each, Item)] == ["train", "test"]
    (tmp_path / "database_split").mkdir()
    (tmp_path / "database_split" / "subgroup_validation.txt").write_text("\ufeffpatient0451\n", encoding="utf-8")
    found = list(SOURCE.scan(tmp_path))
    assert [each.fold for each in found if isinstance(each, Item)] == [None, "validation"]
    assert [(each.name, each.reason) for each in found if isinstance(each, Refused)] == [
        ("database_split/subgroup_training.txt", "cannot be read (No such file or directory)"),
        ("database_split/subgroup_testing.txt", "cannot be read (No such file or directory)"),
        ("database_nifti/patient0001 4CH", "has no images of this view"),
        ("database_nifti/patient0451 4CH", "has no images of this view"),
    ]
