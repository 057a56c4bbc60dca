"""Does what is learnt on the phantom hold for real hearts? Families of views in a real gallery.

Networks are trained on phantom frames alone. The half of the gallery that `phantom_gallery.may_guide` names served to
choose networks and augmentation; the other half did not, and is what counts. The phantom's machines were set beside
images of both halves.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import real_data
from benchmarks.claims import Measured
from benchmarks.phantom_classifier import probabilities, train
from benchmarks.phantom_frames import Draw, Squares, phantom_squares
from benchmarks.phantom_gallery import FAMILIES, Shot, read_gallery
from benchmarks.phantom_sector import SIDE, square
from benchmarks.phantom_transfer_report import Answers, summarise
from site_agent.progress import track

Array = NDArray[np.float64]

TRAINED_FROM, VALIDATED_FROM = 0, 10_000_000  # seeds of patients


@dataclass(frozen=True)
class Effort:
    """How much is done.

    Attributes:
        frames: phantom frames to train on.
        validation: phantom frames of other patients.
        steps: batches a network is trained for.
        seeds: networks whose mean answers.
        textures: frames that the unlearnt features are trained on.
    """

    frames: int
    validation: int
    steps: int
    seeds: int
    textures: int


FULL = Effort(frames=7000, validation=700, steps=1000, seeds=4, textures=2100)
QUICK = Effort(frames=1050, validation=140, steps=120, seeds=2, textures=350)


def measure(*, quick: bool, gallery: Path = real_data.GALLERY) -> Measured:
    """Accuracy on both halves of a gallery, with what they are to be compared with.

    Raises:
        ValueError: the folder is no gallery, or none of its images can be used.
    """
    found = read_gallery(gallery)
    if not found.shots:
        raise ValueError(f"{gallery} has no image of {', '.join(FAMILIES)}")
    return summarise(found, answers(found.shots, QUICK if quick else FULL))


def answers(shots: Sequence[Shot], effort: Effort, draw: Draw | None = None) -> Answers:
    """What networks and textures trained on the phantom say about real frames."""
    learnt = phantom_squares(effort.frames, first_seed=TRAINED_FROM, draw=draw)
    unseen = phantom_squares(effort.validation, first_seed=VALIDATED_FROM, draw=draw)
    real = np.stack([square(shot.frame, SIDE) for shot in shots])
    both = np.concatenate([real, unseen.images])
    by_seed = ensemble(learnt, both, effort)
    return Answers(
        networks=by_seed[:, : len(real)],
        phantom=by_seed[:, len(real) :],
        phantom_labels=unseen.labels,
        textures=by_texture(learnt, real, effort.textures),
        frames=effort.frames,
    )


def ensemble(learnt: Squares, asked: NDArray[np.uint8], effort: Effort) -> Array:
    """(seeds, N, families) probabilities, as many networks trained at once as there are cores."""
    with ProcessPoolExecutor(min(len(os.sched_getaffinity(0)), effort.seeds)) as pool:
        found = pool.map(partial(_one_network, learnt, asked, effort.steps), range(effort.seeds))
        return np.stack(list(track(found, total=effort.seeds, what="networks")))


def _one_network(learnt: Squares, asked: NDArray[np.uint8], steps: int, seed: int) -> Array:
    import torch

    torch.set_num_threads(1)  # one process a core
    model = train(learnt.images, learnt.labels, len(FAMILIES), steps=steps, seed=seed)
    return probabilities(model, asked, views=8)


def by_texture(learnt: Squares, asked: NDArray[np.uint8], count: int) -> Array:
    """(N, families) probabilities of a linear head on the texture front end, trained on the first phantom frames."""
    from shared_models.front_ends import create_front_end
    from shared_models.linear_head import predict_head, train_head

    front_end = create_front_end("texture")
    features = np.stack([front_end(image) for image in learnt.images[:count]])
    labels = learnt.labels[:count]
    head = train_head(features, labels, np.ones(len(labels)), len(FAMILIES), seed=0)
    return predict_head(np.stack([front_end(image) for image in asked]), *head)
