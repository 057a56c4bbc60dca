from __future__ import annotations

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest

from deploy.phantom.backbone_frames import (
    A_PATIENT,
    CLASSES,
    HELD_OUT,
    PART,
    VIEW_COUNT,
    FramePlan,
    all_parts,
    as_set_by_someone,
    frame_of,
    heart_machines,
    part_frames,
)
from shared_models.phantom.hospitals import label_of
from shared_models.phantom.machines import MACHINES, machine_named
from shared_models.phantom.patients import draw_patient

PLAN = FramePlan(images=PART * A_PATIENT + 6, size=32, seed=2, machines=("godwit", "albatross"))


def test_every_view_is_a_class_with_and_without_contrast() -> None:
    assert len(CLASSES) == 26
    assert len({label_of(name) for name in CLASSES}) == 26
    labels = FramePlan(2600, 112, 5, ()).labels()
    assert set(np.bincount(labels % VIEW_COUNT)) == {200}
    assert np.mean(labels >= VIEW_COUNT) == pytest.approx(0.25, abs=0.03)
    assert set(labels) == set(range(26))


def test_a_patient_is_learnt_from_or_held_out_never_both() -> None:
    plan = FramePlan(2600, 112, 5, ())
    patient, held = plan.patient_of_frame(), plan.held_out()
    assert not set(patient[held]) & set(patient[~held])
    assert np.mean(held) == pytest.approx(1 / HELD_OUT, abs=0.01)
    shown = np.bincount(plan.labels()[held] % VIEW_COUNT, minlength=VIEW_COUNT)
    assert shown.min() > 0.8 * shown.max()  # every view is asked about as often
    assert plan.patients == patient[-1] + 1


def test_frames_are_the_same_whoever_makes_them() -> None:
    assert PLAN.parts == 2
    made = dict(all_parts(PLAN, [0, 1]))  # by two processes where there are two cores
    assert [len(made[part]) for part in (0, 1)] == [PART * A_PATIENT, 6]
    assert np.array_equal(part_frames(PLAN, 1), made[1])
    longer = part_frames(replace(PLAN, images=PLAN.images + 2), 1)
    assert np.array_equal(longer[:6], made[1])
    assert not np.array_equal(part_frames(replace(PLAN, seed=3), 1), made[1])
    assert made[0].shape[1:] == (32, 32)
    assert made[0].dtype == np.uint8
    assert made[0].std(axis=(1, 2)).min() > 5  # there is something to see in all of them


def test_closed_early_it_leaves_nobody_at_work() -> None:
    parts = all_parts(replace(PLAN, images=2600), range(50))
    assert next(parts)[0] == 0
    parts.close()
    assert not multiprocessing.active_children()


def test_nothing_wanted_nothing_made() -> None:
    assert list(all_parts(PLAN, [])) == []


@pytest.mark.parametrize("machine", heart_machines())
def test_every_machine_takes_frames(machine: str) -> None:
    patient = draw_patient(4)
    one, other = (frame_of(patient, "A4C+contrast", (machine,), 48, np.random.default_rng(seed)) for seed in range(2))
    assert one.shape == (48, 48)
    assert not np.array_equal(one, other)


def test_machines_for_hearts_only_less_those_kept_back() -> None:
    assert set(MACHINES) - set(heart_machines()) == {"sanderling"}
    assert set(heart_machines()) - set(heart_machines(without=["dunlin", "eider"])) == {"dunlin", "eider"}


def test_knobs_turn_a_little_and_marks_come_and_go() -> None:
    machine = machine_named("bittern")
    random = np.random.default_rng(0)
    turned = [as_set_by_someone(machine, random) for _ in range(40)]
    assert len({each.width_deg for each in turned}) == 40
    assert all(0.8 <= each.width_deg / machine.width_deg <= 1.1 for each in turned)
    assert {each.marks for each in turned} == {(), machine.marks}
