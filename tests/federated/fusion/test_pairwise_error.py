"""The share told from statistics is that of wrong answers where scores are normal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from federated.errors import ContractError
from federated.fusion.linear_rule import LinearRule
from federated.fusion.pairwise_error import pairwise_error
from federated.fusion.targets import targets_of
from federated.statistics import from_features
from federated.vocabulary import Concept, Vocabulary

LABELS = ("plax", "a4c")


def rule_at(threshold: float, labels: tuple[str, ...] = LABELS) -> LinearRule:
    """a4c where the first feature is above the threshold."""
    weights = np.zeros((1, 2, len(labels)))
    weights[0, 0, 1] = 1.0
    bias = np.zeros((1, len(labels)))
    bias[0, 1] = -threshold
    return LinearRule(labels, ("ada",), weights, bias)


def block_of(count: int, order: tuple[str, ...] = LABELS, seed: int = 0):
    random = np.random.default_rng(seed)
    labels = ["plax"] * count + ["a4c"] * count
    features = np.stack([np.repeat([0.0, 2.0], count) + random.normal(size=2 * count), np.ones(2 * count)], axis=1)
    return features, labels, from_features(features, labels, np.ones(2 * count), order)


@pytest.mark.parametrize("threshold", [0.0, 1.0, 2.5])
def test_with_two_normal_labels_it_is_the_share_of_wrong_answers(threshold):
    features, labels, block = block_of(20000)
    rule = rule_at(threshold)
    wrong = np.mean(
        [LABELS[best] != label for best, label in zip(rule.scores(features).argmax(1), labels, strict=True)]
    )
    truth = (norm.sf(threshold) + norm.cdf(threshold - 2)) / 2
    assert pairwise_error(rule, [block]) == pytest.approx(truth, abs=0.01)
    assert wrong == pytest.approx(truth, abs=0.01)


def test_a_second_label_to_lose_to_is_another_chance():
    """Two rivals with the same scores: an image is right where it beats both, taken as independent."""
    _, _, block = block_of(300)
    one = pairwise_error(rule_at(1.0), [block.known(("plax",))])
    weights = np.zeros((1, 2, 3))
    weights[0, 0, 1:] = 1.0
    rule = LinearRule((*LABELS, "a2c"), ("ada",), weights, np.array([[0.0, -1.0, -1.0]]))
    assert pairwise_error(rule, [block.known(("plax",))]) == pytest.approx(1 - (1 - one) ** 2)


def test_half_way_between_two_labels_is_best():
    _, _, block = block_of(500)
    errors = {threshold: pairwise_error(rule_at(threshold), [block]) for threshold in (-1.0, 0.0, 1.0, 2.0, 3.0)}
    assert min(errors, key=errors.get) == 1.0


def test_images_count_once_however_they_are_spread_over_blocks():
    one, other = block_of(300, seed=1)[2], block_of(100, seed=2)[2]
    parts = [pairwise_error(rule_at(0.5), [block]) for block in (one, other)]
    assert pairwise_error(rule_at(0.5), [one, other]) == pytest.approx(0.75 * parts[0] + 0.25 * parts[1])


def test_labels_that_the_rule_does_not_know_are_not_counted():
    block = block_of(100)[2]
    strange = from_features(np.full((50, 2), 9.0), ["sub"] * 50, np.ones(50), ("sub",))
    assert pairwise_error(rule_at(1.0), [block, strange]) == pairwise_error(rule_at(1.0), [block])
    assert pairwise_error(rule_at(1.0), [strange]) == 0.0


def test_a_label_above_another_is_no_mistake_for_it_and_neither_is_one_below():
    features, labels, block = block_of(200)
    nested = Vocabulary(
        name="nested",
        concepts=tuple(
            Concept(code=code, scheme="x", meaning=code, parents=parents)
            for code, parents in (("plax", ()), ("apical", ()), ("a4c", ("apical",)))
        ),
    )
    order = ("plax", "apical", "a4c")
    weights = np.zeros((1, 2, 3))
    weights[0, 0, 1:] = 1.0  # the two apical scores are one
    rule = LinearRule(order, ("ada",), weights, np.array([[0.0, -1.0, -1.0]]))
    coarse = from_features(features, ["apical" if label == "a4c" else label for label in labels], np.ones(400), order)
    values = features[:, 0].reshape(2, 200)
    right = norm.cdf((values[1].mean() - 1) / np.sqrt(values.var(axis=1).mean()))
    for found in (block, coarse):
        flat, told = (pairwise_error(rule, [found], *given) for given in ((), (targets_of(nested, order),)))
        assert flat - told == pytest.approx(right / 4)  # half of the images are apical, and a coin decides of equals


def test_without_a_gram_matrix_it_cannot_be_told():
    with pytest.raises(ContractError, match="Gram matrix"):
        pairwise_error(rule_at(1.0), [block_of(5)[2].without_gram()])
