from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import ExportOrder, axis_of, part_of, patient_of, record, volumes

ORDER = ExportOrder(patients=1, seed=5, frames=8, size=None)


def test_of_ten_patients_eight_train() -> None:
    assert Counter(part_of(number) for number in range(1, 41)) == {"train": 32, "val": 4, "test": 4}
    assert {part_of(number) for number in range(1, 7)} == {"train", "val", "test"}


def test_patients_come_from_all_populations() -> None:
    drawn = [patient_of(ORDER, number) for number in range(1, 61)]
    count = Counter(patient.population for patient in drawn)
    assert count["healthy"] > 20
    assert min(count[name] for name in ("dilated", "hypertrophic")) >= 4
    assert len({patient.seed for patient in drawn}) == 60


def test_the_size_is_the_layouts_unless_a_person_says_otherwise() -> None:
    patient = patient_of(ORDER, 1)
    for order, size in ((ORDER, (50, 70)), (replace(ORDER, size=64), (64, 64))):
        clip = record(order, 1, patient, Shot("A4C"), "godwit", frames=(0.0,), size=(50, 70))
        assert clip.images.shape == (1, *size)


def test_another_take_of_a_view_differs() -> None:
    patient = patient_of(ORDER, 1)
    first, again = (
        record(ORDER, 1, patient, Shot("A4C"), "godwit", frames=(0.0,), size=(64, 64), again=take) for take in (0, 1)
    )
    assert (first.images != again.images).any()


def test_volumes_are_those_of_the_two_frames() -> None:
    clip = record(ORDER, 1, patient_of(ORDER, 1), Shot("A4C"), "godwit", size=(64, 64))
    diastolic, systolic = volumes(clip)
    assert diastolic == clip.volumes_ml.max()
    assert systolic == clip.volumes_ml.min()


def test_the_axis_does_not_need_the_contour() -> None:
    clip = record(ORDER, 1, patient_of(ORDER, 1), Shot("A4C"), "godwit", frames=(0.0,), size=(128, 128))
    seen = axis_of(clip, 0)
    unseen = axis_of(replace(clip, contours=np.full_like(clip.contours, np.nan)), 0)
    assert unseen == pytest.approx(seen, abs=5 / clip.take.spacing_mm)
