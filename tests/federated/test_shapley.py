"""The axioms, worked examples, and refitted games."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated.errors import ContractError
from federated.refits import ClosedFormRefit, right_answers
from federated.shapley import coalitions, shapley, shapley_of_accuracy, shapley_of_scores

FLOATS = st.floats(-10, 10, allow_nan=False)


class Game:
    """A rule before one image with one label whose score is a number for each coalition."""

    labels = ("a",)

    def __init__(self, sites: tuple[str, ...], worth: Any) -> None:
        self.sites, self.worth = sites, worth

    def scores(self, present: Any) -> np.ndarray:
        return np.array([[self.worth(frozenset(present))]], dtype=np.float64)

    def answers(self, present: Any) -> np.ndarray:
        return np.array([0 if present else -1])


def _values(game: Game) -> list[float]:
    return shapley_of_scores(game, np.array([0])).values[:, 0].tolist()


def test_the_glove_game() -> None:
    """One left glove, two right ones: 2/3, 1/6, 1/6 (Shapley's own kind of example)."""
    worth = lambda s: float("left" in s and len(s) > 1)  # noqa: E731
    assert _values(Game(("left", "one", "other"), worth)) == pytest.approx([2 / 3, 1 / 6, 1 / 6])


@given(st.integers(1, 5).flatmap(lambda k: st.lists(FLOATS, min_size=2**k, max_size=2**k)))
@settings(max_examples=60, deadline=None)
def test_it_is_the_mean_over_orders_and_adds_up(worth: list[float]) -> None:
    count = (len(worth) - 1).bit_length()
    values = shapley(np.array(worth))
    joined = np.zeros(count)
    orders = list(permutations(range(count)))
    for order in orders:
        inside = 0
        for site in order:
            joined[site] += worth[inside | 1 << site] - worth[inside]
            inside |= 1 << site
    assert values == pytest.approx(joined / len(orders), abs=1e-9)
    assert values.sum() == pytest.approx(worth[-1] - worth[0], abs=1e-9)


def test_equals_get_the_same_and_a_dummy_nothing() -> None:
    worth = lambda s: float(len(s & {"a", "b"}) ** 2)  # noqa: E731
    first, second, dummy = _values(Game(("a", "b", "dummy"), worth))
    assert first == pytest.approx(second)
    assert dummy == pytest.approx(0, abs=1e-12)


def test_of_a_displayed_sum_it_is_the_displayed_sum(federation: Any) -> None:
    """Which is why the game is refitted."""
    model = federation.model(federation.release())
    features = federation.folds["ada"]["test"].features[:5]
    contributions = model.answer(features, "image").contributions[0, :, 0]
    shown = dict(zip(model.sites, contributions.tolist(), strict=True))
    displayed = Game(model.sites, lambda present: sum((shown[name] for name in present), 0.0))
    assert _values(displayed) == pytest.approx(contributions, abs=1e-12)
    refitted = shapley_of_scores(ClosedFormRefit(model, features), np.zeros(5, dtype=int)).values[:, 0]
    assert np.abs(refitted - contributions).max() > 1e-3


def test_refitted_scores_and_accuracy_add_up(federation: Any) -> None:
    model = federation.model(federation.release())
    fold = federation.folds["ben"]["test"]
    refit = ClosedFormRefit(model, fold.features)
    answered = refit.answers(refit.sites)
    shares = shapley_of_scores(refit, answered)
    scores = model.answer(fold.features, "image").scores
    assert (shares.nobody == 0).all()
    assert np.abs(shares.values.sum(axis=0) - scores[np.arange(len(answered)), answered]).max() < 1e-9
    accuracy = shapley_of_accuracy(refit, right_answers(federation.vocabulary, model.labels, fold.labels))
    assert accuracy.nobody == 0
    assert accuracy.values.sum() == pytest.approx(float(accuracy.everybody))
    assert accuracy.everybody > 0.9
    assert model.sites[int(accuracy.values.argmax())] == "ben"  # whose images they are


def test_two_sites_with_the_same_images_get_the_same(federation: Any) -> None:
    twins = {"ada": "ada", "ben": "ada", "cem": "cem"}
    inputs = {site.name: site for site in federation.inputs()}
    from dataclasses import replace

    built = federation.candidate_of([replace(inputs[twin], name=name) for name, twin in twins.items()])
    refit = ClosedFormRefit(federation.model(built), federation.folds["ada"]["test"].features)
    shares = shapley_of_scores(refit, refit.answers(refit.sites)).values
    assert np.abs(shares[0] - shares[1]).max() < 1e-9
    assert np.abs(shares[0] - shares[2]).max() > 1e-3


def test_coalitions_are_all_of_them_and_ten_sites_the_most() -> None:
    assert list(coalitions(("a", "b"))) == [(), ("a",), ("b",), ("a", "b")]
    with pytest.raises(ContractError, match="11 sites have 2048 coalitions; exact values are for 10 sites at most"):
        next(coalitions(tuple("abcdefghijk")))
    with pytest.raises(ContractError, match="3 coalitions are not all"):
        shapley(np.zeros(3))
