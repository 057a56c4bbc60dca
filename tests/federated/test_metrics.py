"""Metrics of learning that grows, against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from federated.metrics import auroc, fpr95, incremental, pair_is_seen, refused_at


def test_incremental_metrics_by_hand():
    accuracy = np.array([[0.9, 0.0, 0.0], [0.7, 0.8, 0.0], [0.8, 0.6, 1.0]])
    summary = incremental(accuracy)
    assert summary.average == pytest.approx((0.9 + 0.75 + 0.8) / 3)
    assert summary.last == pytest.approx(0.8)
    assert summary.forgetting == pytest.approx(((0.9 - 0.8) + (0.8 - 0.6)) / 2)
    assert summary.backward_transfer == pytest.approx(((0.8 - 0.9) + (0.6 - 0.8)) / 2)


def test_one_arrival_forgets_nothing():
    assert incremental(np.array([[0.5]])).forgetting == 0.0


def test_pairs():
    held = {"ada": ["a4c"]}
    assert pair_is_seen(held, "ada", "a4c")
    assert not pair_is_seen(held, "ada", "sub")
    assert not pair_is_seen(held, "ben", "a4c")


def test_auroc_is_the_share_of_pairs_in_order_and_a_tie_counts_half():
    assert auroc(np.array([3.0, 2.0]), np.array([1.0, 2.0])) == pytest.approx((2 + 1.5) / 4)
    assert auroc(np.array([1.0]), np.array([2.0])) == 0.0
    with pytest.raises(ValueError, match="0 scores inside"):
        auroc(np.zeros(0), np.ones(3))


@given(hnp.arrays(np.float64, 23, elements=st.integers(-5, 5)), hnp.arrays(np.float64, 17, elements=st.integers(-5, 5)))
def test_auroc_is_that_of_scikit_learn_and_turns_with_its_arguments(inside, outside):
    truth = np.repeat([1, 0], [23, 17])
    assert auroc(inside, outside) == pytest.approx(roc_auc_score(truth, np.concatenate([inside, outside])), abs=1e-12)
    assert auroc(inside, outside) + auroc(outside, inside) == pytest.approx(1.0)
    assert auroc(np.exp(inside), np.exp(outside)) == auroc(inside, outside)


@pytest.mark.parametrize("apart", [0.0, 1.0, 2.5])
def test_two_gaussians_are_told_apart_as_the_normal_distribution_says(apart):
    rng = np.random.default_rng(7)
    inside, outside = rng.normal(apart, 1, 40_000), rng.normal(0, 1, 40_000)
    assert auroc(inside, outside) == pytest.approx(norm.cdf(apart / np.sqrt(2)), abs=0.01)
    assert refused_at(inside, outside, 0.05) == pytest.approx(norm.cdf(apart + norm.ppf(0.05)), abs=0.015)
    assert fpr95(inside, outside) == 1 - refused_at(inside, outside, 0.05)


def test_as_many_wrong_refusals_as_alpha_allows_and_no_more():
    inside = np.arange(40.0)
    assert refused_at(inside, np.array([0.5, 1.5, 2.0, 2.5]), 0.05) == 0.5  # below 2, the third smallest
    assert refused_at(inside, inside, 0.05) == 2 / 40
    assert refused_at(inside, inside, 0.049) == 1 / 40
    assert refused_at(np.arange(19.0), np.array([-1.0, 0.0]), 0.05) == 0.5  # nobody known may be refused
