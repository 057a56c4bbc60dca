"""Frames are those of apical views, with points and masks that belong to them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.contour_frames import CAVITY, MACHINES, VIEWS, Frames, frames, machine_of, population_of
from shared_models.long_axis import enclosed, spline
from shared_models.segmentation_metrics import dice_of

SIDE = 64
PATIENTS = range(4)


@pytest.fixture(scope="module")
def taken() -> Frames:
    return frames(5, PATIENTS, SIDE)


def test_every_view_of_every_patient(taken: Frames) -> None:
    assert len(taken.images) + taken.left_out == len(VIEWS) * len(PATIENTS)
    assert taken.images.shape == taken.masks.shape == (len(taken.views), SIDE, SIDE)
    assert set(taken.views) == set(VIEWS)
    assert {machine_of(patient) for patient in taken.patients.tolist()} == set(taken.machines)


def test_points_enclose_the_cavity(taken: Frames) -> None:
    for mask, points in zip(taken.masks, taken.points, strict=True):
        assert dice_of(enclosed(spline(points), (SIDE, SIDE)), mask == CAVITY) > 0.9


def test_millimetres_are_those_of_a_heart(taken: Frames) -> None:
    base, apex = taken.points[:, [0, 6]].mean(axis=1), taken.points[:, 3]
    lengths = np.linalg.norm((base - apex) * taken.spacing_mm, axis=1)
    assert (lengths > 50).all()
    assert (lengths < 130).all()


def test_the_same_seed_gives_the_same_frames_and_another_others(taken: Frames) -> None:
    again, other = frames(5, [1], SIDE), frames(6, [1], SIDE)
    assert np.array_equal(again.images, taken.images[taken.patients == 1])
    assert not np.array_equal(again.images[0], other.images[0])


def test_machines_and_populations_take_turns() -> None:
    pairs = {(machine_of(patient), population_of(patient)) for patient in range(3 * len(MACHINES))}
    assert len(pairs) == 3 * len(MACHINES)
