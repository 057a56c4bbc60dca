"""The scatter of sites' means is added to the covariance, by as much as sites left out ask for."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from federated.errors import ContractError
from federated.fusion import scattered_discriminant as module
from federated.fusion.closed_form import scatter_factor
from federated.fusion.discriminant import UNTOLD, discriminant, tuned_discriminant
from federated.fusion.pairwise_error import pairwise_error
from federated.fusion.scattered_discriminant import SCATTERS, scattered_discriminant, tuned_scattered_discriminant
from federated.statistics import from_features, merge

LABELS = ("plax", "a4c", "a2c", "psax", "sub")


def validation(federation):
    return {site.name: site.validation for site in federation.inputs()}


def asked(count: int = 50) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 24))


def test_without_scatter_it_is_discriminant_analysis(federation):
    found = scattered_discriminant(federation.blocks(), LABELS, 0.1, 0.0)
    plain = discriminant(federation.blocks(), LABELS, 0.1)
    assert np.array_equal(found.site_weights, plain.site_weights)
    assert np.array_equal(found.site_bias, plain.site_bias)


def test_the_scores_are_those_of_normal_densities_with_the_wider_covariance(federation):
    from scipy.stats import multivariate_normal

    blocks = federation.blocks()
    folds = [folds["train"] for folds in federation.folds.values()]
    features, labels = np.concatenate([f.features for f in folds]), np.array([x for f in folds for x in f.labels])
    means = {label: features[labels == label].mean(axis=0) for label in LABELS}
    centred = features - np.stack([means[label] for label in labels])
    factor = scatter_factor(blocks, sorted(blocks))
    wide = centred.T @ centred / len(centred) + 5.0 * factor @ factor.T / factor.shape[1]
    wide = 0.9 * wide + 0.1 * np.trace(wide) / 24 * np.eye(24)
    densities = np.stack([multivariate_normal(means[label], wide).logpdf(asked()) for label in LABELS], axis=1)
    scores = scattered_discriminant(blocks, LABELS, 0.1, 5.0).scores(asked())
    apart = scores - densities
    assert np.ptp(apart, axis=1).max() < 1e-8


def test_contributions_add_up_and_order_does_not_matter(federation):
    blocks, checks = federation.blocks(), validation(federation)
    reference = tuned_scattered_discriminant(blocks, checks, LABELS)
    assert np.abs(reference.contributions(asked()).sum(axis=1) - reference.scores(asked())).max() < 1e-9
    for order in list(permutations(blocks))[1::2]:
        rule = tuned_scattered_discriminant({name: blocks[name] for name in order}, checks, LABELS)
        assert np.array_equal(rule.site_weights, reference.site_weights)


def test_a_direction_in_which_sites_differ_counts_less_by_as_much_as_it_gained_in_variance():
    signs = np.array([[one, other] for one in (-0.3, 0.3) for other in (-0.3, 0.3)])  # of mean 0 and covariance 0.09 I
    blocks = {}
    for site, shift in (("ada", -1.0), ("ben", 1.0)):
        rows = np.concatenate([signs + np.array([shift, 0.0]), signs + np.array([1.0 + shift, 1.0])])
        blocks[site] = from_features(rows, ["plax"] * 4 + ["a4c"] * 4, np.ones(8), ("plax", "a4c"))
    for scatter in (0.0, 10.0, 100.0):
        weights = scattered_discriminant(blocks, ("plax", "a4c"), 1e-9, scatter).weights
        slope = weights[:, 1] - weights[:, 0]
        assert slope[0] / slope[1] == pytest.approx(0.09 / (0.09 + 1.0 + scatter), rel=1e-4)


def test_the_scatter_is_the_one_that_sites_left_out_ask_for(federation, monkeypatch):
    blocks, checks = federation.blocks(), validation(federation)
    seen = []
    own = module.pairwise_error

    def watched(rule, given, *targets):
        seen.append(tuple(given))
        return own(rule, seen[-1], *targets)

    monkeypatch.setattr(module, "pairwise_error", watched)
    tuned_scattered_discriminant(blocks, checks, LABELS)
    alone = [given for given in seen if len(given) == 1]
    assert len(alone) == len(SCATTERS) * len(blocks)
    assert {id(given[0]) for given in alone} == {id(block) for block in checks.values()}


def test_it_is_never_worse_on_the_validation_of_all_sites_than_what_was_not_chosen(federation):
    blocks, checks = federation.blocks(), validation(federation)
    found = pairwise_error(tuned_scattered_discriminant(blocks, checks, LABELS), checks.values())
    plain = pairwise_error(tuned_discriminant(blocks, checks, LABELS), checks.values())
    assert found < plain + 0.02


def test_one_site_alone_and_no_validation(federation):
    blocks, checks = federation.blocks(), validation(federation)
    alone = tuned_scattered_discriminant({"ada": blocks["ada"]}, {"ada": checks["ada"]}, LABELS)
    plain = tuned_discriminant({"ada": blocks["ada"]}, {"ada": checks["ada"]}, LABELS)
    assert np.array_equal(alone.site_weights, plain.site_weights)
    untold = tuned_scattered_discriminant(blocks, {}, LABELS)
    assert np.array_equal(untold.site_weights, scattered_discriminant(blocks, LABELS, UNTOLD[0], 1.0).site_weights)


def test_a_site_that_keeps_its_gram_matrix_back_is_named(federation):
    blocks = federation.blocks()
    blocks["ben"] = blocks["ben"].without_gram()
    with pytest.raises(ContractError, match="ben: its Gram matrix"):
        scattered_discriminant(blocks, LABELS, 0.1, 1.0)


def test_sums_of_one_site_in_two_blocks_are_not_two_sites(federation):
    """The scatter is between sites: who merges all sites' sums has none."""
    together = {"all": merge(federation.blocks().values())}
    found = scattered_discriminant(together, LABELS, 0.1, 30.0)
    assert np.array_equal(found.site_weights, scattered_discriminant(together, LABELS, 0.1, 0.0).site_weights)
