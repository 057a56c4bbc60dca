"""Streaming discriminant analysis is discriminant analysis of all images at once."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from federated.errors import ContractError
from federated.fusion.discriminant import (
    PRIORS,
    SHRINKAGES,
    UNTOLD,
    discriminant,
    tuned_discriminant,
    within_covariance,
)
from federated.fusion.nearest_mean import nearest_class_mean
from federated.fusion.pairwise_error import pairwise_error
from federated.statistics import merge

LABELS = ("plax", "a4c", "a2c", "psax", "sub")


def pooled(federation) -> tuple[np.ndarray, np.ndarray]:
    folds = [folds["train"] for folds in federation.folds.values()]
    features = np.concatenate([fold.features for fold in folds])
    return features, np.array([LABELS.index(label) for fold in folds for label in fold.labels])


def validation(federation):
    return {site.name: site.validation for site in federation.inputs()}


@pytest.mark.parametrize("shrinkage", [1e-3, 0.1, 0.7])
def test_it_is_scikit_learns_of_all_images(federation, shrinkage):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    features, labels = pooled(federation)
    asked = np.random.default_rng(0).normal(size=(50, features.shape[1]))
    rule = discriminant(federation.blocks(), LABELS, shrinkage, "counted")
    reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(features, labels)
    assert np.abs(rule.scores(asked) - reference.decision_function(asked)).max() < 1e-8
    equal = discriminant(federation.blocks(), LABELS, shrinkage, "equal")
    assert np.abs(equal.scores(asked) + np.log(reference.priors_) - rule.scores(asked)).max() < 1e-8


def test_contributions_add_up(federation):
    asked = np.random.default_rng(0).normal(size=(20, 24))
    for prior in PRIORS:
        rule = discriminant(federation.blocks(), LABELS, 0.1, prior)
        assert np.abs(rule.contributions(asked).sum(axis=1) - rule.scores(asked)).max() < 1e-9


def test_sites_may_arrive_in_any_order_and_are_worth_the_same_apart_and_together(federation):
    blocks = federation.blocks()
    reference = discriminant(blocks, LABELS, 0.1, "counted")
    for order in permutations(blocks):
        rule = discriminant({name: blocks[name] for name in order}, LABELS, 0.1, "counted")
        assert np.array_equal(rule.site_weights, reference.site_weights)
    together = discriminant({"all": merge(blocks.values())}, LABELS, 0.1, "counted")
    assert np.abs(together.weights - reference.weights).max() < 1e-9
    assert np.abs(together.bias - reference.bias).max() < 1e-9


def test_fully_shrunk_it_is_the_nearest_class_mean(federation):
    asked = np.random.default_rng(0).normal(size=(200, 24))
    nearest = nearest_class_mean(federation.blocks(), LABELS).scores(asked).argmax(axis=1)
    assert np.array_equal(discriminant(federation.blocks(), LABELS, 1.0).scores(asked).argmax(axis=1), nearest)


def test_the_covariance_is_about_the_means_of_all_sites(federation):
    features, labels = pooled(federation)
    centred = features - np.stack([features[labels == label].mean(axis=0) for label in range(5)])[labels]
    assert np.abs(within_covariance(federation.blocks()) - centred.T @ centred / len(centred)).max() < 1e-12


def test_shrinkage_and_prior_are_those_with_the_least_error_told_by_validation_statistics(federation):
    blocks, checks = federation.blocks(), validation(federation)
    errors = {
        (shrinkage, prior): pairwise_error(discriminant(blocks, LABELS, shrinkage, prior), checks.values())
        for shrinkage in SHRINKAGES
        for prior in PRIORS
    }
    best = discriminant(blocks, LABELS, *min(errors, key=errors.get))
    found = tuned_discriminant(blocks, checks, LABELS)
    assert np.array_equal(found.site_weights, best.site_weights)
    assert np.array_equal(found.site_bias, best.site_bias)
    assert len(set(errors.values())) > len(SHRINKAGES)


def test_without_validation_a_published_default_holds(federation):
    found = tuned_discriminant(federation.blocks(), {}, LABELS)
    assert np.array_equal(found.site_weights, discriminant(federation.blocks(), LABELS, *UNTOLD).site_weights)


def test_a_site_that_keeps_its_gram_matrix_back_is_named(federation):
    blocks = federation.blocks()
    blocks["ben"] = blocks["ben"].without_gram()
    with pytest.raises(ContractError, match="ben: its Gram matrix"):
        discriminant(blocks, LABELS, 0.1)
