"""How networks of registration learn in the contest: one routine for ours and for the rivals.

Every network sees the same pairs, with the same losses and for as many steps as it is told; the rate and the weight of
smoothness are its own, chosen on pairs of patients that it does not learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.course_clock import CourseClock
from benchmarks.registration_scores import Floats
from benchmarks.registration_starts import Started
from shared_models.recipe import Precision, Recipe
from shared_models.registration.fields import to_voxels
from shared_models.registration.pair_changes import PairChanges
from shared_models.registration.registration_loss import RegistrationLoss
from shared_models.registration.registration_training import ImagePairs, RegistrationTask
from shared_models.training import train

BATCH = 2
WARM_UP = 0.05
CLIP = 1.0


@dataclass(frozen=True)
class Choice:
    """What is chosen for each network.

    Attributes:
        rate: of learning, at its highest.
        weight: of smoothness, over the similarity.
        changed: whether pairs are changed at random.
    """

    rate: float
    weight: float
    changed: bool = False


@dataclass(frozen=True)
class Course:
    """How long a network learns, and how.

    Attributes:
        steps: of two pairs.
        seed: of its first weights and of the order of pairs.
        precision: of products.
    """

    steps: int
    seed: int
    precision: Precision


def image_pairs(pairs: Sequence[Started]) -> ImagePairs:
    """Aligned images and those that they were aligned to, of one shape."""
    images = np.stack([one.moving for one in pairs] + [one.fixed for one in pairs])
    numbers = np.arange(len(pairs))
    return ImagePairs(images, np.stack([numbers, len(pairs) + numbers], axis=1))


def learnt(
    network: Any,
    pairs: Sequence[Started],
    similarity: str,
    choice: Choice,
    course: Course,
    folder: Path | None = None,
) -> float:
    """Brings a network to the end of its course; a course with a folder goes on from where it was stopped.

    Returns:
        Seconds of a processor that it took, those before it was stopped among them.
    """
    changes = PairChanges() if choice.changed else None
    loss = RegistrationLoss(similarity, choice.weight)
    task = RegistrationTask(network, image_pairs(pairs), loss=loss, changes=changes)
    epochs = max(1, round(course.steps * BATCH / len(pairs)))
    a_time = min(len(pairs), max(BATCH, round(course.steps * BATCH / epochs)))
    recipe = Recipe(
        epochs=epochs,
        batch=BATCH,
        rate=choice.rate,
        seed=course.seed,
        optimiser="adam",
        schedule="cosine",
        warm_up=WARM_UP,
        clip=CLIP,
        precision=course.precision,
        samples_an_epoch=a_time,
    )
    clock = CourseClock(folder)
    train(task, recipe, folder=folder, device="cpu", watch=clock)
    network.eval()
    return clock.seconds


def field_of(network: nn.Module, moving: Floats, fixed: Floats) -> Floats:
    """(d, *N) voxels, from arrays to an array: what a user waits for."""
    with torch.inference_mode():
        images = (torch.from_numpy(image)[None, None] for image in (moving, fixed))
        return np.asarray(to_voxels(network(*images).field)[0].numpy())
