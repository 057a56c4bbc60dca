"""A sum of sites' parts is the rule itself, and class means are those of all images together."""

from __future__ import annotations

import numpy as np
import pytest

from federated.errors import ContractError
from federated.fusion.linear_rule import LinearRule, class_means_of, rule_of_means
from federated.fusion.targets import targets_of
from federated.statistics import from_features

LABELS = ("plax", "a4c", "a2c", "psax", "sub")


def test_contributions_add_up_to_the_scores():
    random = np.random.default_rng(0)
    rule = LinearRule(("a4c", "plax"), ("ada", "ben", "cem"), random.normal(size=(3, 4, 2)), random.normal(size=(3, 2)))
    features = random.normal(size=(5, 4))
    assert rule.contributions(features).shape == (5, 3, 2)
    assert np.abs(rule.contributions(features).sum(axis=1) - rule.scores(features)).max() < 1e-12
    assert np.allclose(rule.scores(features), features @ rule.weights + rule.bias)


def test_class_means_are_those_of_all_images_together(federation):
    found = class_means_of(federation.blocks(), LABELS)
    folds = [folds["train"] for folds in federation.folds.values()]
    features = np.concatenate([fold.features for fold in folds])
    labels = np.array([label for fold in folds for label in fold.labels])
    for column, label in enumerate(found.labels):
        assert np.abs(features[labels == label].mean(axis=0) - found.means[:, column]).max() < 1e-12
    assert np.abs(found.site_means.sum(axis=0) - found.means).max() < 1e-12
    assert np.allclose(found.shares.sum(axis=0), 1)
    assert not found.shares[found.sites.index("ada"), LABELS.index("sub")]


def test_a_label_that_no_site_holds_has_no_column(federation):
    blocks = {name: block for name, block in federation.blocks().items() if name != "cem"}
    assert class_means_of(blocks, LABELS).labels == ("plax", "a4c", "a2c", "psax")
    with pytest.raises(ContractError, match="no site holds"):
        class_means_of({"ada": blocks["ada"]}, ["sub"])


def test_images_of_a_label_below_are_images_of_the_label(nested):
    targets = targets_of(nested.vocabulary, nested.vocabulary.codes)
    block = from_features(
        np.array([[1.0, 1.0], [5.0, 1.0]]), ["psax-av", "psax"], np.array([1.0, 3.0]), nested.held["cem"] + ("psax-av",)
    )
    found = class_means_of({"ada": block}, ["psax", "psax-av"], targets)
    assert found.means[0].tolist() == [4.0, 1.0]


def test_under_the_identity_the_rule_of_means_is_the_distance():
    blocks = {"ada": from_features(np.array([[0.0, 1.0], [4.0, 1.0]]), ["plax", "a4c"], np.ones(2), ("plax", "a4c"))}
    found = class_means_of(blocks, ["plax", "a4c"])
    rule = rule_of_means(found, found.site_means, np.array([0.0, 1.0]))
    feature = np.array([3.0, 1.0])
    halves = ((feature[:, None] - found.means) ** 2).sum(axis=0) / 2
    assert np.allclose(rule.scores(feature[None])[0], feature @ feature / 2 - halves + [0.0, 1.0])
