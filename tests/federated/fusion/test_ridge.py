"""The joint ridge is the ridge of all images at once; the masked one that of the sites that label a class."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from federated.errors import ContractError
from federated.fusion.closed_form import fit, held_labels, validation_loss
from federated.fusion.ridge import choose_ridge, joint_ridge, masked_ridge, ridge_rule
from federated.fusion.selection import RIDGES, UNTOLD
from federated.fusion.targets import targets_of
from federated.manifest import Hyperparameters
from federated.statistics import merge

LABELS = ("plax", "a4c", "a2c", "psax", "sub")
RULES = {1.0: joint_ridge, 0.0: masked_ridge}


def validation(federation):
    return {site.name: site.validation for site in federation.inputs()}


def sklearn_ridge(federation, ridge: float, sites: list[str]) -> np.ndarray:
    """(M, C) of all images of these sites, with their weights, on one-hot targets."""
    from sklearn.linear_model import Ridge

    folds = [federation.folds[name]["train"] for name in sites]
    labels = np.array([label for fold in folds for label in fold.labels])
    targets = (labels[:, None] == np.array(LABELS)).astype(float)
    model = Ridge(alpha=ridge, fit_intercept=False)
    weights = np.concatenate([fold.weights for fold in folds])
    return model.fit(np.concatenate([fold.features for fold in folds]), targets, sample_weight=weights).coef_.T


def test_the_joint_rule_is_scikit_learns_ridge_of_all_images(federation):
    chosen = choose_ridge(federation.blocks(), validation(federation), LABELS, outside=1.0)
    rule = joint_ridge(federation.blocks(), validation(federation), LABELS)
    assert np.abs(rule.weights - sklearn_ridge(federation, chosen.ridge, list(federation.held))).max() < 1e-9


def test_the_masked_rule_is_scikit_learns_ridge_of_the_sites_that_label_a_class(federation):
    chosen = choose_ridge(federation.blocks(), validation(federation), LABELS, outside=0.0)
    rule = masked_ridge(federation.blocks(), validation(federation), LABELS)
    for column, label in enumerate(LABELS):
        sites = [name for name, held in federation.held.items() if label in held]
        assert np.abs(rule.weights[:, column] - sklearn_ridge(federation, chosen.ridge, sites)[:, column]).max() < 1e-9


@pytest.mark.parametrize("outside", [1.0, 0.0])
def test_the_ridge_has_the_least_validation_error_of_what_its_loss_counts(federation, outside):
    blocks, checks = federation.blocks(), validation(federation)
    unit = sum(np.trace(block.gram) for block in blocks.values()) / 24
    counted = {
        name: np.array([outside == 1.0 or label in held_labels(blocks[name]) for label in LABELS]) for name in checks
    }

    def error(ridge):
        weights = fit(blocks, LABELS, Hyperparameters(ridge=ridge * unit, scatter=0.0, outside=outside))
        return sum(validation_loss(weights, checks[name], LABELS, counted[name]) for name in checks)

    found = choose_ridge(blocks, checks, LABELS, outside=outside)
    assert found.ridge == pytest.approx(min(RIDGES, key=error) * unit)
    assert (found.scatter, found.outside) == (0.0, outside)


@pytest.mark.parametrize("outside", RULES)
def test_order_does_not_matter_and_parts_add_up(federation, outside):
    blocks, checks = federation.blocks(), validation(federation)
    reference = RULES[outside](blocks, checks, LABELS)
    asked = np.random.default_rng(0).normal(size=(20, 24))
    assert np.abs(reference.contributions(asked).sum(axis=1) - reference.scores(asked)).max() < 1e-9
    for order in permutations(blocks):
        rule = RULES[outside]({name: blocks[name] for name in order}, checks, LABELS)
        assert np.abs(rule.site_weights - reference.site_weights).max() < 1e-12


def test_sites_apart_and_together_are_one_joint_fit(federation):
    blocks = federation.blocks()
    chosen = choose_ridge(blocks, {}, LABELS, outside=1.0)
    apart, together = ridge_rule(blocks, LABELS, chosen), ridge_rule({"all": merge(blocks.values())}, LABELS, chosen)
    assert np.abs(apart.weights - together.weights).max() < 1e-9


def test_without_validation_the_middle_of_the_grid_holds(federation):
    blocks = federation.blocks()
    unit = sum(np.trace(block.gram) for block in blocks.values()) / 24
    assert choose_ridge(blocks, {}, LABELS, outside=1.0).ridge == pytest.approx(UNTOLD * unit)
    empty = {"ada": validation(federation)["ada"].known(())}
    assert choose_ridge(blocks, empty, LABELS, outside=1.0).ridge == pytest.approx(UNTOLD * unit)


def test_coarse_labels_teach_what_they_say(nested):
    blocks = {site.name: site.train for site in nested.inputs()}
    codes = nested.vocabulary.codes
    targets = targets_of(nested.vocabulary, codes)
    rule = joint_ridge(blocks, {site.name: site.validation for site in nested.inputs()}, codes, targets)
    chosen = choose_ridge(blocks, validation(nested), codes, outside=1.0, targets=targets)
    assert np.abs(rule.weights - fit(blocks, codes, chosen, targets)).max() < 1e-9
    assert np.abs(rule.weights - fit(blocks, codes, chosen)).max() > 1e-3


def test_what_lacks_is_named(federation):
    blocks = federation.blocks()
    with pytest.raises(ContractError, match="no site holds"):
        joint_ridge({"ada": blocks["ada"]}, {}, ["sub"])
    with pytest.raises(ContractError, match="ben: its Gram matrix"):
        joint_ridge(blocks | {"ben": blocks["ben"].without_gram()}, {}, LABELS)
