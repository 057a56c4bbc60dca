"""Pooling by hand, on numbers small enough to check in one's head; and where pooling must fail."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.fusion.experts import Consulted, Pooled
from federated.fusion.pooling import confidence_routing, max_logit, max_softmax, score_sum

RULES = (max_logit, max_softmax, score_sum, confidence_routing)
Rule = Callable[[Consulted], Pooled]


def _consulted(first: list[float], second: list[float], asked: list[bool] | None = None) -> Consulted:
    """One image; the first expert holds a and b, the second b, c and d."""
    flags = None if asked is None else np.array([asked])
    logits = (np.array([first]), np.array([second]))
    return Consulted(("amber", "beryl"), (("a", "b"), ("b", "c", "d")), np.zeros((1, 2, 1)), logits, asked=flags)


def test_max_logit_takes_the_highest_for_each_label() -> None:
    pooled = max_logit(_consulted([1.0, -2.0], [3.0, 0.5, -1.0]))
    assert pooled.labels == ("a", "b", "c", "d")
    assert pooled.scores.tolist() == [[1.0, 3.0, 0.5, -1.0]]
    assert pooled.contributions.tolist() == [[[1.0, 0.0, 0.0, 0.0], [0.0, 3.0, 0.5, -1.0]]]
    assert pooled.weights.tolist() == [[0.0, 1.0]]


def test_max_softmax_takes_the_highest_probability() -> None:
    pooled = max_softmax(_consulted([np.log(3), 0.0], [np.log(8), 0.0, 0.0]))
    assert pooled.scores == pytest.approx(np.array([[0.75, 0.8, 0.1, 0.1]]))
    assert pooled.weights.tolist() == [[0.0, 1.0]]


def test_scores_add_up_where_both_hold_a_label() -> None:
    pooled = score_sum(_consulted([1.0, -2.0], [3.0, 0.5, -1.0]))
    assert pooled.scores.tolist() == [[1.0, 1.0, 0.5, -1.0]]
    assert pooled.weights.tolist() == [[1.0, 1.0]]


def test_routing_leaves_the_answer_to_one_expert() -> None:
    sure_of_two = _consulted([2.0, 0.0], [5.0, 5.0, 4.0])
    by_softmax, by_logit = confidence_routing(sure_of_two), confidence_routing(sure_of_two, by="logit")
    assert by_softmax.scores[0, 0] == pytest.approx(1 / (1 + np.exp(-2)))
    assert np.isneginf(by_softmax.scores[0, 2:]).all()
    assert by_logit.scores.tolist() == [[-np.inf, 5.0, 5.0, 4.0]]
    assert by_logit.weights.tolist() == [[0.0, 1.0]]


def test_an_expert_of_two_labels_is_surer_than_one_of_many_that_is_right() -> None:
    """The right expert's logit stands out by 3 among eleven, the foreign one's by 2 among two: .67 against .88."""
    right = np.zeros((1, 11))
    right[0, 0] = 3.0
    labels = (tuple(f"view-{number}" for number in range(11)), ("view-11", "view-12"))
    consulted = Consulted(("amber", "beryl"), labels, np.zeros((1, 2, 1)), (right, np.array([[2.0, 0.0]])))
    assert max_logit(consulted).best.tolist() == [0]
    assert max_softmax(consulted).best.tolist() == [11]
    assert confidence_routing(consulted).best.tolist() == [11]


def test_an_expert_of_one_label_is_always_certain() -> None:
    consulted = Consulted(
        ("amber", "beryl"), (("a", "b"), ("c",)), np.zeros((1, 2, 1)), (np.array([[9.0, 0.0]]), np.array([[-9.0]]))
    )
    assert max_softmax(consulted).best.tolist() == [2]
    assert max_logit(consulted).best.tolist() == [0]


@pytest.mark.parametrize("rule", RULES)
def test_an_expert_that_was_not_asked_says_nothing(rule: Rule) -> None:
    pooled = rule(_consulted([1.0, 0.0], [np.inf, -np.inf, 7.0], asked=[True, False]))
    assert np.isneginf(pooled.scores[0, 2:]).all()
    assert np.isfinite(pooled.scores[0, :2]).all()
    assert pooled.best.tolist() == [0]
    assert pooled.weights.tolist() == [[1.0, 0.0]]
    assert pooled.present.tolist() == [[True, False]]
    assert not pooled.contributions[0, 1].any()


@pytest.mark.parametrize("rule", RULES)
@given(seed=st.integers(0, 2**16), experts=st.integers(1, 5))
def test_contributions_add_up_to_the_scores(rule: Rule, seed: int, experts: int) -> None:
    rng = np.random.default_rng(seed)
    labels = tuple(tuple(rng.permutation(list("abcdef"))[: rng.integers(1, 6)].tolist()) for _ in range(experts))
    logits = tuple(5 * rng.standard_normal((7, len(held))) for held in labels)
    asked = rng.random((7, experts)) < 0.7
    asked[:, 0] = True
    names = tuple(f"site-{number}" for number in range(experts))
    pooled = rule(Consulted(names, labels, np.zeros((7, experts, 1)), logits, asked=asked))
    finite = np.isfinite(pooled.scores)
    assert finite[:, [pooled.labels.index(label) for label in labels[0]]].all() or rule is confidence_routing
    assert pooled.contributions.sum(axis=1)[finite] == pytest.approx(pooled.scores[finite], abs=1e-12)
    assert not pooled.contributions.sum(axis=1)[~finite].any()
    assert not pooled.weights[~asked].any()
