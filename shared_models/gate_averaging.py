"""The gated fusion without pooled features: cross heads and gate travel, and are averaged (McMahan et al., FedAvg).

Every site runs all frozen experts on its own images and trains cross heads and gate on what they say; the average of
the sites' states, weighted by their images, is where the next round begins. No feature leaves a site.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from shared_models.consultation import Floats, Lesson, Reads
from shared_models.gate import State, train_gate
from shared_models.training import Device, Recipe


def average_states(states: Sequence[Mapping[str, Floats]], images: Sequence[float]) -> State:
    """The mean of states of one shape, weighted by the images, or the weight of the images, behind each.

    Raises:
        ValueError: no images, or states of other tensors or shapes.
    """
    if len(states) != len(images) or min(images, default=0) < 0 or not sum(images):
        raise ValueError(f"{len(states)} states and {list(images)} images give no average")
    shapes = {name: values.shape for name, values in states[0].items()}
    if any({name: values.shape for name, values in state.items()} != shapes for state in states):
        raise ValueError("states of other experts, labels or sizes cannot be averaged")
    shares = np.array(images, dtype=np.float64) / sum(images)
    return {name: np.tensordot(shares, [state[name] for state in states], axes=1).astype(np.float32) for name in shapes}


def train_by_averaging(
    sites: Sequence[Lesson],
    reads: Reads,
    recipe: Recipe,
    rounds: int,
    *,
    start: Mapping[str, Floats] | None = None,
    device: Device = "auto",
) -> State:
    """The state after so many rounds of local training and averaging, all sites taking part in each.

    Args:
        sites: the lesson of each site, of the same experts.
        reads: what the gate sees.
        recipe: of one round at one site: for instance one epoch; its seed moves on by one a round.
        rounds: how many.
        start: as of `train_gate`; without it, first weights come from the recipe's seed.
        device: where sites train, one after another.
    """
    images = [float(site.weights.sum()) for site in sites]
    state = start
    for number in range(rounds):
        local = replace(recipe, seed=recipe.seed + number)
        trained = [train_gate(site, None, reads, local, start=state, device=device) for site in sites]
        state = average_states(trained, images)
    return {name: values.astype(np.float32) for name, values in (state or {}).items()}
