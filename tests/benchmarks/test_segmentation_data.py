"""Hospitals show what they have, patients are never divided, and what a site does not label is not in its masks."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.segmentation_data import (
    CALIBRATION,
    EXTERNAL,
    SITES,
    STRUCTURES,
    TEST,
    TRAIN,
    Patients,
    Picture,
    masked,
    pictures,
    structures,
)
from shared_models.phantom import labels as label

FEW = Patients(train=1, calibration=2, test=1)


@pytest.fixture(scope="module")
def tested() -> list[Picture]:
    return pictures("agate", TEST, 5, FEW)


def test_patients_are_never_divided() -> None:
    folds = Patients(3, 2, 4).folds("agate")
    numbers = [number for fold in (TRAIN, CALIBRATION, TEST) for number in folds[fold]]
    assert numbers == list(range(9))
    assert [len(folds[fold]) for fold in (TRAIN, CALIBRATION, TEST)] == [3, 2, 4]
    assert list(Patients(3, 2, 4).folds(EXTERNAL[0])) == [TEST]


def test_who_tests_is_seen_in_all_views_at_both_moments(tested: list[Picture]) -> None:
    assert [(one.view, one.moment) for one in tested] == [
        (view, moment) for view in ("A2C", "A3C", "A4C") for moment in ("ED", "ES")
    ]
    assert len({one.patient for one in tested}) == 1
    assert {one.view for one in pictures("beryl", TEST, 5, FEW)} == {"A2C", "A4C"}
    volumes = {one.moment: one.volume_ml for one in tested}
    assert volumes["ES"] < volumes["ED"]


def test_of_a_patient_who_calibrates_there_is_one_image() -> None:
    found = pictures("citrine", CALIBRATION, 5, FEW)
    assert len({one.patient for one in found}) == len(found) == 2


def test_images_are_cut_to_the_sector(tested: list[Picture]) -> None:
    four = tested[4]
    assert four.image.shape == four.mask.shape
    assert four.image.shape[0] < four.image.shape[1]
    assert set(np.unique(four.mask)) == {0, *STRUCTURES.values()}


def test_the_phantoms_values_become_ours() -> None:
    marks = np.array([[label.OUTSIDE, label.BACKGROUND, label.LV, label.MYOCARDIUM, label.AORTA, label.RA]], np.uint8)
    assert structures(marks).tolist() == [[0, 0, 1, 2, 0, 5]]


def test_what_a_site_does_not_label_is_background(tested: list[Picture]) -> None:
    some, full = masked(tested, 48, (1, 2)), masked(tested, 48, None)
    assert some.images.shape == some.masks.shape == (6, 48, 48)
    assert set(np.unique(some.masks)) == {0, 1, 2}
    assert np.array_equal(some.masks == 1, full.masks == 1)
    assert (some.labelled, full.labelled) == ((1, 2), None)
    assert SITES == ("agate", "beryl", "citrine")
