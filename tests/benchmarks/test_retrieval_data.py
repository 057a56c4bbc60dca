"""Sweeps of a small cohort, and their clips."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.retrieval_data import CLIP, IMAGE, SITES, Cohort, cohort


@pytest.fixture(scope="module")
def small() -> Cohort:
    return cohort(3, 20)


def test_every_hospital_has_both_legs_at_three_visits(small: Cohort) -> None:
    assert len(small.sweeps) == 3 * 2 * 3
    assert {each.site for each in small.sweeps} == set(range(len(SITES)))
    assert {(each.right, each.visit) for each in small.sweeps if each.patient == 1} == {
        (right, visit) for right in (True, False) for visit in range(3)
    }
    assert small.patients.tolist() == [0, 1, 2]
    assert small.of_site(small.patients, 1).tolist() == [1]


def test_the_standard_view_is_where_the_picture_is_frozen(small: Cohort) -> None:
    clips = small.labelled
    for number in range(len(clips.standard)):
        frozen = small.sweeps[clips.sections[number]].frozen[small.starts[number] : small.starts[number] + CLIP]
        assert clips.standard[number] == frozen.all()
    assert clips.clips.shape[1:] == (CLIP, IMAGE, IMAGE)


def test_moving_clips_hold_no_frozen_frame(small: Cohort) -> None:
    every, moving = small.clips_of(4, moving=False), small.clips_of(4, moving=True)
    assert set(moving) < set(every)
    assert not small.labelled.standard[moving].any()
    last = small.sweeps[4]
    assert not last.frozen[small.frame_of(int(moving[-1])) + CLIP // 2]


def test_what_is_true_of_a_frame(small: Cohort) -> None:
    for each in small.sweeps:
        assert abs(each.apart_mm[-1]) <= 4.0
        assert abs(each.apart_mm[0]) > 30
        assert each.area(-1) == each.muscle[-1].sum() > 50


def test_hospitals_have_greys_of_their_own(small: Cohort) -> None:
    means = [np.mean([each.images.mean() for each in small.sweeps if each.site == site]) for site in range(3)]
    assert means[1] < means[0] < means[2]
