"""A perfect answer is perfect, clean-up takes away what is apart, and ejection fractions come from masks."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.segmentation_data import TEST, Patients, Picture, pictures
from benchmarks.segmentation_scores import CLEAN, RAW, by_patient, mean_over, scored, true_ejections


@pytest.fixture(scope="module")
def shown() -> list[Picture]:
    return pictures("beryl", TEST, 5, Patients(1, 1, 1))


def test_the_truth_is_perfect(shown: list[Picture]) -> None:
    found = scored(shown, [one.mask for one in shown])
    four = [row for row, one in enumerate(shown) if one.view == "A4C"]
    assert (found.fits[four, CLEAN, :, 0] == 1).all()
    assert (found.fits[four, CLEAN, :, 1:] == 0).all()
    two = [row for row, one in enumerate(shown) if one.view == "A2C"]
    assert np.isnan(found.fits[two][:, :, 3:]).all()  # the right heart is judged in A4C
    patient = shown[0].patient
    assert found.ejection[patient] == pytest.approx(true_ejections(shown)[patient], abs=8)


def test_who_does_not_know_a_structure_is_not_judged_by_it(shown: list[Picture]) -> None:
    found = scored(shown, [np.where(one.mask <= 2, one.mask, 0).astype(np.uint8) for one in shown], ("LV", "MYO"))
    assert (found.fits[:, CLEAN, :2, 0] == 1).all()
    assert np.isnan(found.fits[:, :, 2:]).all()


def test_clean_up_takes_away_what_is_apart(shown: list[Picture]) -> None:
    masks = [one.mask.copy() for one in shown]
    masks[0][:2, :2] = 1
    found = scored(shown, masks).fits[0, :, 0]
    assert found[RAW, 0] < found[CLEAN, 0] == 1
    assert found[RAW, 1] > 20
    assert found[CLEAN, 1] == 0


def test_without_an_outline_there_is_no_ejection_fraction(shown: list[Picture]) -> None:
    found = scored(shown, [np.zeros_like(one.mask) for one in shown])
    assert np.isnan(found.ejection[shown[0].patient])
    assert (found.fits[:, CLEAN, 0, 0] == 0).all()


def test_means_by_patient_leave_out_what_is_no_number(shown: list[Picture]) -> None:
    values = np.array([1.0, np.nan, 3.0, np.nan])[:, None]
    assert by_patient(values, shown)[shown[0].patient].tolist() == [2.0]
    assert np.isnan(mean_over(np.full((2, 1), np.nan))).all()
