"""The section of the rectus femoris in what was retrieved, as a U-Net segments it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.retrieval_data import IMAGE, Cohort
from benchmarks.retrieval_measures import Areas, Hit
from shared_models.clip_windows import Rows
from shared_models.recipe import Recipe
from shared_models.segmentation import Masked, SegmentationTask, segmented
from shared_models.training import train
from shared_models.unet import unet

if TYPE_CHECKING:
    import torch

WIDTH, LEVELS = 16, 4
OF_A_SWEEP = 6  # frames that are learnt from: the frozen one and others near it


def segmenter(cohort: Cohort, patients: Rows, *, epochs: int, seed: int) -> torch.nn.Module:
    """A U-Net that has learnt the muscle from some patients."""
    import torch

    images, masks = [], []
    for each in cohort.sweeps:
        if each.patient in patients:
            last = int((~each.frozen).sum())
            for frame in np.linspace(last // 3, last, OF_A_SWEEP).round().astype(int):
                images.append(each.images[frame])
                masks.append(each.muscle[frame])
    torch.manual_seed(seed)
    network = unet(2, IMAGE, width=WIDTH, levels=LEVELS)
    recipe = Recipe(epochs=epochs, batch=16, rate=4e-3, seed=seed, optimiser="adam", schedule="cosine", warm_up=0.1)
    task = SegmentationTask(network, IMAGE, Masked(np.stack(images), np.stack(masks).astype(np.uint8)))
    train(task, recipe, device="cpu")
    return network


def areas(cohort: Cohort, network: torch.nn.Module, hits: list[Hit]) -> Areas:
    """Pixels of the muscle, of its largest piece, in every frame that was retrieved and in those it is held against."""
    from shared_models.mask_components import largest_pieces

    frames = sorted({(hit.sweep, frame) for hit in hits for frame in (hit.frame, hit.reference)})
    found = segmented(network, np.stack([cohort.sweeps[sweep].images[frame] for sweep, frame in frames])).labels
    return {key: int(largest_pieces(labels, [1]).sum()) for key, labels in zip(frames, found, strict=True)}
