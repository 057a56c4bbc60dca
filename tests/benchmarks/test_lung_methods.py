"""Contestants on made-up sites: each is what its name says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from benchmarks.lung_data import LABELS, split
from benchmarks.lung_methods import (
    FUSED,
    JOINT_RIDGE,
    MASK,
    METHODS,
    Predictor,
    Scored,
    contestants,
    released,
    ridge_of,
    statistics,
)
from deploy.demo.baselines import JOINT, MAX_SOFTMAX, MOST_FREQUENT, SITE_ALONE, SiteFolds
from federated.clips import clip_means
from federated.fusion.selection import RIDGES
from tests.benchmarks.test_lung_data import synthetic


@pytest.fixture(scope="module")
def sites() -> list[SiteFolds]:
    images = synthetic(patients=20)
    return split(images, images.shots, 0)


@pytest.fixture(scope="module")
def methods(sites: list[SiteFolds]) -> Mapping[str, Predictor]:
    return contestants(sites, seed=0)


def _accuracy(predictor: Predictor, sites: list[SiteFolds]) -> float:
    right = []
    for site in sites:
        truth = dict(zip(site.test.clips, site.test.labels, strict=True))
        answers = predictor(site.name, site.test).answers()
        right += [answer == label for answer, label in zip(answers, truth.values(), strict=True)]
    return float(np.mean(right))


def test_all_methods_take_part_and_all_that_learn_beat_the_most_frequent_label(
    methods: Mapping[str, Predictor], sites: list[SiteFolds]
) -> None:
    assert tuple(methods) == METHODS
    accuracy = {name: _accuracy(predictor, sites) for name, predictor in methods.items()}
    for name in (*FUSED.values(), JOINT_RIDGE, MASK, JOINT, SITE_ALONE):
        assert accuracy[name] > accuracy[MOST_FREQUENT] + 0.2, name


def test_joint_ridge_is_the_central_fit(sites: list[SiteFolds]) -> None:
    from sklearn.linear_model import Ridge

    found = ridge_of(sites, LABELS, outside=1.0)
    features = np.concatenate([site.train.features for site in sites])
    truth = np.array([[float(label == code) for code in LABELS] for site in sites for label in site.train.labels])
    weights = np.concatenate([site.train.weights for site in sites])
    unit = float((features**2 * weights[:, None]).sum() / features.shape[1])
    fits = [
        Ridge(alpha=ratio * unit, fit_intercept=False).fit(features, truth, sample_weight=weights).coef_.T
        for ratio in RIDGES
    ]
    assert min(np.abs(found - fit).max() for fit in fits) < 1e-9


def test_the_mask_never_looks_at_sites_without_the_label(sites: list[SiteFolds]) -> None:
    """`viral` is labelled by the last site alone, so only that site's images can shape its column."""
    from sklearn.linear_model import Ridge

    found = ridge_of(sites, LABELS, outside=0.0)[:, LABELS.index("viral")]
    train = sites[-1].train
    blocks = [statistics(site.train, sorted(set(site.train.labels))) for site in sites]
    unit = sum(float(np.trace(block.gram)) for block in blocks if block.gram is not None) / train.features.shape[1]
    truth = np.array([float(label == "viral") for label in train.labels])
    fits = [
        Ridge(alpha=ratio * unit, fit_intercept=False).fit(train.features, truth, sample_weight=train.weights).coef_
        for ratio in RIDGES
    ]
    assert min(np.abs(found - fit).max() for fit in fits) < 1e-9


def test_the_release_answers_as_the_contestant_does(methods: Mapping[str, Predictor], sites: list[SiteFolds]) -> None:
    (model,) = released(sites)
    test = sites[-1].test
    clips = list(dict.fromkeys(test.clips))
    decided = [
        one.best for one in model.decide(clip_means(test.features, test.clips), clips, clips) if one.image is None
    ]
    assert methods[FUSED["refit"]](sites[-1].name, test).answers() == decided


def test_max_softmax_follows_the_surest_head(methods: Mapping[str, Predictor], sites: list[SiteFolds]) -> None:
    """The first site knows one label, so its head is always sure and always answers it."""
    assert set(methods[MAX_SOFTMAX]("northumbria", sites[1].test).answers()) == {"healthy"}


def test_a_site_that_did_not_train_has_no_head_of_its_own(
    methods: Mapping[str, Predictor], sites: list[SiteFolds]
) -> None:
    assert set(methods[SITE_ALONE]("elsewhere", sites[0].test).answers()) == {None}


def test_answers_may_be_held_to_some_labels() -> None:
    scored = Scored(("a", "b", "c"), np.array([[0.1, 0.5, 0.9], [0.2, -np.inf, 0.1]]))
    assert scored.answers() == ["c", "a"]
    assert scored.answers(("a", "b")) == ["b", "a"]
    assert scored.answers(("b",)) == ["b", None]
    assert not scored.refused.any()


def test_a_clip_is_refused_where_no_site_is_qualified() -> None:
    scored = Scored(("a",), np.zeros((3, 1)), np.array([0.04, 0.05, 0.06]), 0.05)
    assert scored.refused.tolist() == [True, True, False]
