"""How a segmentation is learnt at several hospitals: each alone, all pooled, and averaged in rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.segmentation_data import STRUCTURES, Patients
from shared_models.anchoring import Anchoring, anchor_of
from shared_models.federated_rounds import mean_state
from shared_models.recipe import Recipe
from shared_models.schedules import rate_at
from shared_models.segmentation import Masked, SegmentationTask
from shared_models.training import train
from shared_models.unet import unet

if TYPE_CHECKING:
    import torch

STREAM = 61  # of random numbers, apart from other uses of the same seeds


@dataclass(frozen=True)
class Setting:
    """How large and how long.

    Attributes:
        side, width, levels: of the U-Net.
        alone, joint: epochs of one hospital's network, and of the pooled one.
        rounds, local: of averaging, and a hospital's epochs in each.
        rate: of learning, at its highest.
        patients: of every hospital.
    """

    side: int = 80
    width: int = 16
    levels: int = 5
    alone: int = 96
    joint: int = 48
    rounds: int = 48
    local: int = 2
    batch: int = 4
    rate: float = 1e-2
    patients: Patients = field(default_factory=Patients)

    def network(self, seed: int) -> torch.nn.Module:
        """With random weights of the seed; those of every method are the same."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return unet(1 + len(STRUCTURES), self.side, self.width, self.levels)

    def recipe(self, seed: int, epochs: int) -> Recipe:
        """The last weights are kept, so that nothing is chosen on patients."""
        return Recipe(
            epochs=epochs, batch=self.batch, rate=self.rate, seed=seed, decay=1e-4, schedule="cosine", warm_up=0.1
        )


def alone(given: Masked, setting: Setting, seed: int) -> torch.nn.Module:
    """One hospital's network."""
    return _taught(setting.network(seed), [given], setting, setting.recipe(seed, setting.alone))


def joint(given: Mapping[str, Masked], setting: Setting, seed: int) -> torch.nn.Module:
    """One network on the images of all, which none of them could do."""
    return _taught(setting.network(seed), list(given.values()), setting, setting.recipe(seed, setting.joint))


def averaged(given: Mapping[str, Masked], setting: Setting, seed: int, proximity: float = 0.0) -> torch.nn.Module:
    """One network after rounds of FedAvg, or of FedProx with a proximity; the mean is by numbers of images."""
    network, recipe = setting.network(seed), setting.recipe(seed, setting.local)
    counts = [len(each.images) for each in given.values()]
    for number in range(setting.rounds):
        rate = rate_at(number, setting.rounds, rate=recipe.rate, schedule=recipe.schedule, warm_up=recipe.warm_up)
        states = [
            _state(_member(network, each, setting, _of_round(recipe, rate, number, place), proximity))
            for place, each in enumerate(given.values())
        ]
        network.load_state_dict(mean_state(states, counts))
    return network.eval()


def _of_round(recipe: Recipe, rate: float, number: int, place: int) -> Recipe:
    seed = np.random.SeedSequence([STREAM, recipe.seed, number, place]).generate_state(1)[0]
    return replace(recipe, seed=int(seed), rate=rate, schedule="constant", warm_up=0.0)


def _member(
    network: torch.nn.Module, given: Masked, setting: Setting, recipe: Recipe, proximity: float
) -> torch.nn.Module:
    own = deepcopy(network)
    penalty = Anchoring((anchor_of(own),), proximity) if proximity else None
    task = SegmentationTask(own, setting.side, given, penalty=penalty)
    train(task, recipe)
    return own


def _taught(network: torch.nn.Module, given: Sequence[Masked], setting: Setting, recipe: Recipe) -> torch.nn.Module:
    train(SegmentationTask(network, setting.side, given), recipe)
    return network


def _state(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
