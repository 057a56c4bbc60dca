"""The nearest class mean is the nearest class mean."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from federated.fusion.nearest_mean import nearest_class_mean
from federated.statistics import merge

LABELS = ("plax", "a4c", "a2c", "psax", "sub")


def test_it_is_the_least_distance_to_a_mean_of_all_images(federation):
    folds = [folds["train"] for folds in federation.folds.values()]
    features = np.concatenate([fold.features for fold in folds])
    labels = np.array([label for fold in folds for label in fold.labels])
    means = np.stack([features[labels == label].mean(axis=0) for label in LABELS])
    asked = np.random.default_rng(1).normal(size=(200, features.shape[1]))
    nearest = ((asked[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert len(set(nearest)) == len(LABELS)
    rule = nearest_class_mean(federation.blocks(), LABELS)
    assert np.array_equal(rule.scores(asked).argmax(axis=1), nearest)
    assert np.abs(rule.contributions(asked).sum(axis=1) - rule.scores(asked)).max() < 1e-9


def test_sites_may_arrive_in_any_order_and_are_worth_the_same_apart_and_together(federation):
    blocks = federation.blocks()
    reference = nearest_class_mean(blocks, LABELS)
    for order in permutations(blocks):
        rule = nearest_class_mean({name: blocks[name] for name in order}, LABELS)
        assert np.array_equal(rule.site_weights, reference.site_weights)
        assert np.array_equal(rule.site_bias, reference.site_bias)
    together = nearest_class_mean({"all": merge(blocks.values())}, LABELS)
    assert np.abs(together.weights - reference.weights).max() < 1e-12
    assert np.abs(together.bias - reference.bias).max() < 1e-12


def test_class_sums_are_enough(federation):
    blocks = federation.blocks()
    without = {name: block.without_gram() for name, block in blocks.items()}
    assert np.array_equal(nearest_class_mean(without, LABELS).weights, nearest_class_mean(blocks, LABELS).weights)
