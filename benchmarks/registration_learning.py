"""How networks of registration learn in the contest: one routine for ours and for the rivals.

Every network sees the same pairs in the same order, for as many steps, with the same losses; the rate and the weight of
smoothness are its own, chosen on pairs of patients that it does not learn from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.registration_scores import Floats
from benchmarks.registration_starts import Started
from shared_models.batches import Rows
from shared_models.recipe import Recipe
from shared_models.registration.fields import to_voxels, warp
from shared_models.registration.similarity import local_ncc, mse
from shared_models.registration.smoothness import smoothness
from shared_models.training import train

Loss = Callable[[Tensor, Tensor], Tensor]
Similarity = Literal["local correlation", "squared difference"]
SIMILARITIES: dict[Similarity, Loss] = {"local correlation": local_ncc, "squared difference": mse}
BATCH = 2
WARM_UP = 0.05
CLIP = 1.0


@dataclass(frozen=True)
class Choice:
    """What is chosen for each network.

    Attributes:
        rate: of learning, at its highest.
        weight: of smoothness, over the similarity.
    """

    rate: float
    weight: float


@dataclass(frozen=True)
class PairsTask:
    """Images are to become alike, and fields smooth; labels are not seen.

    Attributes:
        network: moving and fixed images (B, 1, *N) to an `Estimate`.
        pairs: of one shape.
        similarity: a loss of fixed and warped images.
        weight: of smoothness.
    """

    network: Any
    pairs: Sequence[Started]
    similarity: Loss
    weight: float

    @property
    def examples(self) -> int:
        """How many pairs."""
        return len(self.pairs)

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> Tensor:  # noqa: ARG002
        """Of some pairs."""
        moving, fixed = (
            torch.from_numpy(np.stack([getattr(self.pairs[row], name) for row in rows]))[:, None].to(device)
            for name in ("moving", "fixed")
        )
        said = self.network(moving, fixed)
        warped = warp(moving, said.field, self.network.padding)
        return self.similarity(fixed, warped) + self.weight * smoothness(said.regularised)

    def validate(self) -> Mapping[str, float]:
        """Nothing: the last weights are kept."""
        return {}


def learnt(
    network: nn.Module, pairs: Sequence[Started], similarity: Similarity, choice: Choice, steps: int, seed: int
) -> nn.Module:
    """The network after so many steps."""
    task = PairsTask(network, pairs, SIMILARITIES[similarity], choice.weight)
    epochs = max(1, round(steps * BATCH / len(pairs)))
    a_time = min(len(pairs), max(BATCH, round(steps * BATCH / epochs)))
    recipe = Recipe(
        epochs=epochs,
        batch=BATCH,
        rate=choice.rate,
        seed=seed,
        optimiser="adam",
        schedule="cosine",
        warm_up=WARM_UP,
        clip=CLIP,
        samples_an_epoch=a_time,
    )
    train(task, recipe, device="cpu")
    return network.eval()


def field_of(network: nn.Module, moving: Floats, fixed: Floats) -> Floats:
    """(d, *N) voxels, from arrays to an array: what a user waits for."""
    with torch.inference_mode():
        images = (torch.from_numpy(image)[None, None] for image in (moving, fixed))
        return np.asarray(to_voxels(network(*images).field)[0].numpy())
