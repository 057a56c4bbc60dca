"""Closed-form cross heads: the ridge by hand, the units of the expert whose labels they speak of, additive moments."""

from __future__ import annotations

import numpy as np
import pytest

from federated.fusion.experts import Consulted
from shared_models.consultation import Lesson
from shared_models.cross_heads import RIDGE, closed_form_heads, logit_units, moments, one_hot_ridge

NAMES = ("amber", "beryl", "coral")
LABELS = (("a", "b"), ("b", "c", "d"), ("d",))


def _consulted(images: int = 40, seed: int = 0, *, scale: float = 1.0) -> tuple[Consulted, np.ndarray]:
    """Features that hold the label in three directions; logits of +3 for the right label, -1 for wrong ones."""
    rng = np.random.default_rng(seed)
    answers = np.r_[np.arange(4), rng.integers(0, 4, images - 4)]
    centres = np.random.default_rng(9).standard_normal((4, 3))
    features = centres[answers][:, None] + 0.1 * rng.standard_normal((images, 3, 3))
    logits = tuple(scale * (4.0 * (np.array(list("abcd"))[answers, None] == np.array(held)) - 1) for held in LABELS)
    return Consulted(NAMES, LABELS, features, logits), answers


def _lesson(images: int = 40, seed: int = 0, *, scale: float = 1.0) -> Lesson:
    consulted, answers = _consulted(images, seed, scale=scale)
    return Lesson(consulted, answers, np.random.default_rng(seed).uniform(0.5, 2, images))


def test_the_ridge_is_the_minimiser_by_hand() -> None:
    lesson = _lesson()
    maps = one_hot_ridge(moments(lesson, 1), None)
    features, share = lesson.consulted.features[:, 1], lesson.weights / lesson.weights.sum()
    centred = features - share @ features
    covariance = centred.T @ (share[:, None] * centred)
    penalty = RIDGE * np.trace(covariance) / 3
    one_hot = np.eye(4)[lesson.answers]
    errors = one_hot - features @ maps[:-1] - maps[-1]
    assert features.T @ (share[:, None] * errors) == pytest.approx(penalty * maps[:-1], abs=1e-12)
    assert share @ errors == pytest.approx(np.zeros(4), abs=1e-12)


def _rows(rows: np.ndarray) -> Lesson:
    lesson, (consulted, _) = _lesson(), _consulted()
    return Lesson(consulted.rows(rows), lesson.answers[rows], lesson.weights[rows])


def test_moments_of_two_sites_are_those_of_all_their_images() -> None:
    whole = moments(_lesson(), 0)
    parts = moments(_rows(np.arange(15)), 0) + moments(_rows(np.arange(15, 40)), 0)
    assert parts.gram == pytest.approx(whole.gram, abs=1e-12)
    assert parts.sums == pytest.approx(whole.sums, abs=1e-12)


def test_they_speak_in_the_units_of_the_expert_whose_labels_they_are() -> None:
    assert np.array(logit_units(_lesson())) == pytest.approx(np.array([[3.0, -1.0]] * 3))
    plain, doubled = closed_form_heads(_lesson(), None), closed_form_heads(_lesson(scale=2.0), None)
    for name in plain:
        assert doubled[name] == pytest.approx(2 * plain[name])
    lesson = _lesson()
    assert plain["heads.0.weight"].shape == (4, 3)
    said = lesson.consulted.features[:, 0] @ plain["heads.0.weight"].T + plain["heads.0.bias"]
    wanted = np.hstack([lesson.consulted.logits[1], lesson.consulted.logits[2]])
    assert np.average(said, axis=0, weights=lesson.weights) == pytest.approx(
        np.average(wanted, axis=0, weights=lesson.weights)
    )
    assert np.corrcoef(said.ravel(), wanted.ravel())[0, 1] > 0.9


def test_an_expert_of_one_label_misses_by_as_much_as_the_others() -> None:
    lesson = _lesson()
    logits = (*lesson.consulted.logits[:2], np.full((40, 1), 7.0))
    consulted = Consulted(NAMES, LABELS, lesson.consulted.features, logits)
    assert logit_units(Lesson(consulted, lesson.answers, lesson.weights))[2] == pytest.approx((7.0, 3.0))


def test_validation_images_choose_the_ridge() -> None:
    rng = np.random.default_rng(1)
    lesson = _lesson()
    noise = Lesson(lesson.consulted, rng.permutation(lesson.answers), np.ones(40))
    same, other = (one_hot_ridge(moments(lesson, 0), moments(held_back, 0)) for held_back in (lesson, noise))
    assert np.abs(same[:-1]).max() > 5 * np.abs(other[:-1]).max()


def test_images_that_an_expert_did_not_see_are_left_out() -> None:
    lesson = _lesson()
    flags = np.ones((40, 3), dtype=np.bool_)
    flags[20:, 0] = False
    features = lesson.consulted.features.copy()
    features[20:, 0] = np.nan
    consulted = Consulted(NAMES, LABELS, features, lesson.consulted.logits, asked=flags)
    seen = moments(Lesson(consulted, lesson.answers, lesson.weights), 0)
    assert np.array_equal(seen.gram, moments(_rows(np.arange(20)), 0).gram)


def test_an_expert_that_nobody_asked_has_no_cross_heads_to_learn() -> None:
    with pytest.raises(ValueError, match="saw none of the images"):
        one_hot_ridge(moments(_rows(np.arange(0)), 0), None)


def test_features_that_are_always_the_same_say_how_frequent_labels_are() -> None:
    lesson, (consulted, _) = _lesson(), _consulted()
    same = Consulted(NAMES, LABELS, np.ones((40, 3, 3)), consulted.logits)
    maps = one_hot_ridge(moments(Lesson(same, lesson.answers, np.ones(40)), 0), None)
    assert np.ones(3) @ maps[:-1] + maps[-1] == pytest.approx(np.bincount(lesson.answers) / 40)


def test_a_single_expert_has_no_cross_heads() -> None:
    consulted = Consulted(("amber",), (("a", "b"),), np.zeros((2, 1, 3)), (np.zeros((2, 2)),))
    assert closed_form_heads(Lesson(consulted, np.array([0, 1]), np.ones(2)), None) == {}


def test_golden_numbers() -> None:
    heads = closed_form_heads(_lesson(), _lesson(seed=1))
    assert heads["heads.1.bias"] == pytest.approx(np.array([-0.6788280046, 0.7205103197, 0.1184805290]), abs=1e-8)
