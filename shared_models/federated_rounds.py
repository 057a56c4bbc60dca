"""Federated averaging in memory: FedAvg and FedProx between networks that one program holds.

A round (McMahan et al., AISTATS 2017): every member goes on from the same network with some epochs on its own images;
the next network is the mean of theirs, weighted by numbers of images. In FedProx (Li et al., MLSys 2020) members are
held back near the round's start. Running means are averaged like weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shared_models.anchoring import Anchoring, anchor_of
from shared_models.continual import accuracy, learn
from shared_models.expert_training import Examples
from shared_models.gate_averaging import average_states
from shared_models.recipe import Recipe
from shared_models.schedules import rate_at
from shared_models.training import Device, chosen_device
from shared_models.views import ExpertNetwork, State

if TYPE_CHECKING:
    import torch

LOCAL_EPOCHS = 2
STREAM = 53  # of random numbers, apart from other uses of the same seeds


@dataclass(frozen=True)
class Member:
    """A site that takes part.

    Attributes:
        examples: what it learns from.
        validation: what it judges a round's network by; None where it has nothing.
        columns: classes over which its cross-entropy is taken: its own, or all.
    """

    examples: Examples
    validation: Examples | None
    columns: tuple[int, ...]


def federated_rounds(
    expert: ExpertNetwork,
    members: Sequence[Member],
    recipe: Recipe,
    *,
    rounds: int,
    proximity: float = 0.0,
    device: Device = "auto",
) -> int:
    """Goes on with a network in rounds; the weights of the round with the best validation accuracy are kept.

    Args:
        expert: changed in place; not frozen.
        members: who takes part in every round.
        recipe: of a member's part of a round; its epochs are those of one round, its schedule is that of all rounds.
        rounds: how many.
        proximity: mu of FedProx; 0 is FedAvg.
        device: where.

    Returns:
        The round that was kept, from 1.
    """
    checks = [member.validation for member in members if member.validation is not None]
    classes = sorted({column for member in members for column in member.columns})
    expert.network.to(chosen_device(device))
    kept: tuple[float, int, Mapping[str, torch.Tensor]] | None = None
    for number in range(rounds):
        states = [
            _taught(expert, member, _of_round(recipe, number, rounds, place), proximity, device)
            for place, member in enumerate(members)
        ]
        expert.network.load_state_dict(mean_state(states, [len(member.examples.labels) for member in members]))
        found = accuracy(expert, checks, classes)
        if kept is None or found > kept[0] or np.isnan(found):
            kept = found, number + 1, _copied(expert)
    assert kept is not None
    expert.network.load_state_dict(kept[2])
    return kept[1]


def mean_state(states: Sequence[State], counts: Sequence[int]) -> dict[str, torch.Tensor]:
    """The mean of networks' states weighted by numbers of images; steps that were only counted have a mean as well."""
    import torch

    return {name: torch.as_tensor(values) for name, values in average_states(states, counts).items()}


def _taught(expert: ExpertNetwork, member: Member, recipe: Recipe, proximity: float, device: Device) -> State:
    own = deepcopy(expert)
    penalty = Anchoring((anchor_of(own.network),), proximity) if proximity else None
    learn(own, member.examples, columns=member.columns, recipe=recipe, penalty=penalty, device=device)
    return own.state()


def _of_round(recipe: Recipe, number: int, rounds: int, place: int) -> Recipe:
    """The recipe under a seed of its own, at the round's rate throughout; a member keeps its last weights."""
    seed = np.random.SeedSequence([STREAM, recipe.seed, number, place]).generate_state(1)[0]
    rate = rate_at(number, rounds, rate=recipe.rate, schedule=recipe.schedule, warm_up=recipe.warm_up)
    return replace(recipe, seed=int(seed), rate=rate, schedule="constant", warm_up=0.0, metric="")


def _copied(expert: ExpertNetwork) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in expert.network.state_dict().items()}
