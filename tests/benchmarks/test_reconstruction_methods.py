"""Rivals get what is theirs, and methods learn."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from benchmarks import reconstruction_methods
from benchmarks.reconstruction_hearts import Heart, Split, hearts
from benchmarks.reconstruction_methods import (
    COMPLETION,
    DISCS,
    FUSED,
    LONGER,
    SHAPES,
    discs_ml,
    drawn_in,
    learnt,
    methods,
    outlines,
    recipe,
    seen,
    shape_answer,
    shape_model,
)
from benchmarks.reconstruction_settings import PRESETS, QUICK, VENTRICLE, WALLS
from shared_models.phantom.volumes import nine_cuts
from shared_models.reconstruction.shape_examples import MOMENTS, Target, shape_patient
from shared_models.reconstruction.shape_pca import signed_distance
from shared_models.reconstruction.volume_metrics import iou


@cache
def some() -> list[Heart]:
    return hearts(range(40, 44), 32)


@cache
def parts() -> Split:
    return Split(some()[:4], some()[4:6], some()[6:])


@pytest.mark.parametrize("sought", [WALLS, VENTRICLE])
def test_outlines_lie_on_the_surface_that_is_sought(sought: Target) -> None:
    for one in seen(some()[:2], 2, sought):
        points = outlines(one)
        distances = signed_distance(one.target)[tuple(np.rint(points).astype(int).T)]
        assert len(points) > 100
        assert np.abs(distances).mean() < 0.8


def test_discs_are_right_in_exact_planes_and_too_small_in_planes_that_miss_the_apex() -> None:
    for heart in some()[:4]:
        example, phase = heart.example, MOMENTS[heart.example.moment]
        exact = replace(heart, example=replace(example, cuts=nine_cuts(shape_patient(heart.seed).heart, phase)))
        right, off = (discs_ml(one) for one in seen([exact, heart], 2, VENTRICLE))
        assert right is not None
        assert right == pytest.approx(example.lv_volume_ml, rel=0.1)
        assert off is None or off < right
    (aside,) = seen([some()[0]], 2, VENTRICLE)
    assert discs_ml(replace(aside, views=("PSAX low",))) is None


def test_a_shape_model_finds_the_ventricle_it_has_learnt() -> None:
    known = seen(some(), 2, VENTRICLE)
    answer = shape_answer(shape_model([one.target for one in known], 7), 1.0)
    assert all(iou(answer(one) >= 0.5, one.target) > 0.85 for one in known)


def test_what_completes_is_shown_every_plane_where_it_lies() -> None:
    (one,) = seen(some()[:1], 9, WALLS)
    made = drawn_in(one)
    shown = made.volume[1] > 0
    assert 0.1 < shown.mean() < 0.5
    assert iou(made.volume[0][shown] > 0.2, one.target[shown]) > 0.6


@pytest.mark.parametrize("method", [FUSED, COMPLETION])
def test_a_network_learns_the_same_from_the_same_seed(method: str) -> None:
    ready = [learnt(method, QUICK, 2, WALLS, parts(), seed) for seed in (1, 1, 2)]
    asked = seen(parts().asked, 2, WALLS)[0]
    one, same, other = (each.judged(asked).ious for each in ready)
    assert one == same != other
    assert ready[0].seconds > 0


def test_a_longer_course_has_as_many_more_epochs_and_goes_on_from_its_folder(tmp_path, monkeypatch) -> None:
    longer = learnt(LONGER, QUICK, 2, WALLS, parts(), 1, tmp_path / "course")
    usual = recipe(QUICK, len(parts().learnt), 1)
    lines = (tmp_path / "course" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == QUICK.times * usual.epochs
    monkeypatch.setattr(reconstruction_methods.ReconstructionTask, "loss", None)  # nothing is learnt again
    again = learnt(LONGER, QUICK, 2, WALLS, parts(), 1, tmp_path / "course")
    asked = seen(parts().asked, 2, WALLS)[0]
    assert again.judged(asked) == longer.judged(asked)
    assert again.seconds == longer.seconds > 0


def test_the_shape_models_settings_are_chosen_among_those_there_are() -> None:
    ready = learnt(SHAPES, QUICK, 2, VENTRICLE, parts(), 1)
    assert ready.chosen["modes"] in QUICK.modes
    assert ready.chosen["sigma"] in QUICK.sigmas


def test_discs_find_volumes_alone() -> None:
    said = learnt(DISCS, QUICK, 2, VENTRICLE, parts(), 1).judged(seen(parts().asked, 2, VENTRICLE)[0])
    assert said.ious is None
    assert said.hausdorff_mm is None
    assert said.error is not None
    assert abs(said.error) < 40
    assert DISCS not in methods(WALLS)


def test_every_heart_is_seen_about_as_often_as_the_setting_says() -> None:
    setting = PRESETS["cpu"]
    epochs = recipe(setting, 2 * setting.learnt, 1).epochs
    assert epochs * 2 * setting.learnt == setting.visits
