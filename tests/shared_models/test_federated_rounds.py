"""Rounds of averaging: the mean is a mean, one member alone just trains, and the best round is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shared_models import federated_rounds as module
from shared_models.continual import accuracy, learn
from shared_models.expert_training import Examples
from shared_models.federated_rounds import Member, federated_rounds, mean_state
from shared_models.recipe import Recipe
from shared_models.views import ExpertNetwork
from tests.shared_models.test_continual import examples, new

RECIPE = Recipe(epochs=2, batch=8, rate=3e-3, seed=1, optimiser="adam", metric="accuracy")


def member(classes: tuple[int, ...], count: int = 24, seed: int = 0) -> Member:
    return Member(examples(classes, count, seed), examples(classes, 12, seed + 50), classes)


def same(one: ExpertNetwork, other: ExpertNetwork) -> bool:
    states = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


def test_states_are_averaged_by_numbers_of_images_and_go_back_into_the_network() -> None:
    networks = [new(2, seed) for seed in (0, 1)]
    found = mean_state([network.state() for network in networks], [3, 1])
    one, other = (network.state()["conv1.weight"] for network in networks)
    assert np.allclose(found["conv1.weight"], 0.75 * one + 0.25 * other)
    networks[0].network.load_state_dict(found)
    assert networks[0].network.bn1.num_batches_tracked.dtype == torch.int64


def test_one_member_alone_just_trains() -> None:
    alone, federated, one = new(2), new(2), member((0, 1))
    federated_rounds(federated, [one], RECIPE, rounds=1)
    learn(alone, one.examples, columns=(0, 1), recipe=module._of_round(RECIPE, 0, 1, 0))
    assert same(alone, federated)


def test_members_teach_each_other_what_only_one_of_them_labels() -> None:
    expert, members = new(3), [member((0, 1), 48), member((1, 2), 48, 1)]
    federated_rounds(expert, [replace(one, columns=(0, 1, 2)) for one in members], RECIPE, rounds=6)
    assert accuracy(expert, [examples((0, 1, 2), 30, 9)], (0, 1, 2)) > 0.75


def test_the_round_with_the_best_validation_accuracy_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([0.5, 0.8, 0.8, 0.3])
    monkeypatch.setattr(module, "accuracy", lambda *_asked: next(found))
    kept, short = new(2), new(2)
    assert federated_rounds(kept, [member((0, 1))], RECIPE, rounds=4) == 2
    found = iter([0.1, 0.2])
    federated_rounds(short, [member((0, 1))], RECIPE, rounds=2)
    assert same(kept, short)


def test_without_validation_the_last_round_is_kept() -> None:
    one = replace(member((0, 1)), validation=None)
    assert federated_rounds(new(2), [one], RECIPE, rounds=3) == 3


def test_proximity_keeps_near_the_start() -> None:
    def moved(proximity: float) -> float:
        start, expert = new(2), new(2)
        federated_rounds(expert, [member((0, 1))], RECIPE, rounds=1, proximity=proximity)
        pairs = zip(start.network.parameters(), expert.network.parameters(), strict=True)
        return sum(float((one - other).detach().square().sum()) for one, other in pairs)

    assert moved(10.0) < 0.5 * moved(0.0)


def test_seeds_differ_by_round_and_by_member() -> None:
    seeds = {module._of_round(RECIPE, number, 3, place).seed for number in range(3) for place in range(3)}
    assert len(seeds) == 9
    assert module._of_round(RECIPE, 0, 1, 0).metric == ""


def test_the_schedule_is_that_of_all_rounds_and_no_round_has_one_of_its_own() -> None:
    falling = replace(RECIPE, schedule="cosine", warm_up=0.25)
    recipes = [module._of_round(falling, number, 8, 0) for number in range(8)]
    rates = [recipe.rate for recipe in recipes]
    assert rates[:3] == pytest.approx([RECIPE.rate / 2, RECIPE.rate, RECIPE.rate])
    assert np.all(np.diff(rates[2:]) < 0)
    assert {(recipe.schedule, recipe.warm_up) for recipe in recipes} == {("constant", 0.0)}


def test_a_member_of_one_class_is_in_the_mean_and_learns_nothing() -> None:
    start, expert = new(2), new(2)
    images = examples((1,), 8)
    lonely = Member(Examples(images.images, images.labels, images.mean, images.deviation), None, (1,))
    federated_rounds(expert, [lonely], RECIPE, rounds=2)
    assert all(
        np.allclose(one.detach(), other.detach())
        for one, other in zip(start.network.parameters(), expert.network.parameters(), strict=True)
    )
