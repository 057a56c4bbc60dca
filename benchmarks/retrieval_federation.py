"""The encoder of clips learnt by several hospitals that share no image, and by each alone."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.retrieval_data import SITES
from benchmarks.retrieval_methods import (
    Budget,
    Method,
    Split,
    cosine_scores,
    encoder_recipe,
    encoder_task,
    new_encoder,
)
from shared_models.federated_rounds import mean_state
from shared_models.recipe import Recipe
from shared_models.schedules import rate_at
from shared_models.training import train

if TYPE_CHECKING:
    import torch

    from shared_models.views import State

TOGETHER = "averaged in rounds"


def alone(split: Split, budget: Budget) -> dict[str, Method]:
    """Each hospital's own encoder, by cosine; it takes as many steps as it has a share in what all learn from."""
    found = {}
    for site, name in enumerate(SITES):
        network = new_encoder(split.seed)
        task = encoder_task(split, split.cohort.of_site(split.train, site), network)
        train(task, _of_a_site(split, budget), device="cpu")
        found[f"{name} alone"] = Method(cosine_scores(split, network))
    return found


def together(split: Split, budget: Budget) -> Method:
    """One encoder averaged over hospitals after every pass over their own images (FedAvg), by cosine."""
    network, rounds = new_encoder(split.seed), budget.ours
    recipe = _of_a_site(split, budget)
    for number in range(rounds):
        rate = rate_at(number, rounds, rate=recipe.rate, schedule="cosine", warm_up=0.0)
        states, counts = [], []
        for site in range(len(SITES)):
            own = deepcopy(network)
            task = encoder_task(split, split.cohort.of_site(split.train, site), own)
            seed = split.seed + 100 * (number + 1) + site
            train(
                task,
                replace(recipe, epochs=1, rate=rate, seed=seed, schedule="constant", warm_up=0.0),
                device="cpu",
            )
            states.append(_arrays(own))
            counts.append(task.examples)
        network.load_state_dict(mean_state(states, counts))
    return Method(cosine_scores(split, network))


def _of_a_site(split: Split, budget: Budget) -> Recipe:
    whole = encoder_recipe(split, budget)
    return replace(whole, samples_an_epoch=max(2, budget.samples // len(SITES)))


def _arrays(network: torch.nn.Module) -> State:
    return {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
