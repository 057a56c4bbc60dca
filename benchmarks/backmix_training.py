"""Classifiers that differ in nothing but what became of backgrounds while they learnt, and what is measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.backmix_images import Pictures
from deploy.phantom.seeds import seed_of
from shared_models.backmix import masked_items
from shared_models.expert_training import ACCURACY, Examples, Presentation, train_expert
from shared_models.recipe import Recipe
from shared_models.region_focus import energy_percentage, focus_percentage
from shared_models.saliency import grad_cam, integrated_gradients
from shared_models.views import ExpertNetwork, own_grey_levels

Numbers = NDArray[np.int64]

WIDTH = 8
RATE = 0.016  # of 0.008, 0.016 and 0.03 the best over all methods on validation images of a seed that counts nowhere
STEPS = 16  # of integrated gradients
EXPLAINED = 40  # images of a set in which it is asked where a network looks


@dataclass(frozen=True)
class Method:
    """What becomes of backgrounds.

    Attributes:
        name: for people.
        background: one of `backgrounds.BACKGROUNDS`.
        strength: lambda of wBackMix.
    """

    name: str
    background: str
    strength: float = 0.0


NOTHING = Method("none", "none")
BACKMIX, WEIGHTED = Method("BackMix", "backmix"), Method("wBackMix", "backmix", 1.0)  # 4 and 10 were worse
METHODS = (
    NOTHING,
    Method("black", "black"),
    Method("noise", "noise"),
    Method("bokeh", "bokeh"),
    Method("shuffle", "shuffle"),
    BACKMIX,
    WEIGHTED,
)


@dataclass(frozen=True)
class Answers:
    """How a network answers images of one set.

    Attributes:
        accuracy: in percent.
        macro_f1: mean over classes of F1, in percent.
    """

    accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class Focus:
    """Where a network looks: %E and %F of Grad-CAM, then of integrated gradients; what an even look would have."""

    energy: float
    focus: float
    gradients_energy: float
    gradients_focus: float
    even: float


def recipe(seed: int, epochs: int) -> Recipe:
    """The same for all methods."""
    return Recipe(
        epochs=epochs, batch=32, rate=RATE, seed=seed, schedule="cosine", warm_up=0.1, optimiser="adam", metric=ACCURACY
    )


def learnt(
    method: Method, share: float, train: Pictures, validation: Pictures, *, classes: int, seed: int, epochs: int
) -> ExpertNetwork:
    """A network taught so; every image is normalised by its own grey levels, as the paper does.

    Args:
        method: what becomes of backgrounds.
        share: f, of the training images whose mask may be used.
        train: what is learnt from.
        validation: chooses the epoch, on images of the same hospital as they are.
        classes: that there are.
        seed: of the weights, the order, the augmentation and which images have a mask.
        epochs: passes over the training images.
    """
    side = train.images.shape[1]
    return train_expert(
        "small_resnet18",
        {"classes": classes, "side": side, "width": WIDTH},
        replace(_examples(train), sectors=some(train.sectors, share, seed)),
        recipe=recipe(seed, epochs),
        validation=_examples(validation),
        presentation=Presentation(method.background, method.strength, levels="image"),
        device="cpu",
    )


def _examples(pictures: Pictures) -> Examples:
    return Examples(pictures.images, pictures.labels, 0.5, 0.5)  # grey levels that images by their own never need


def some(sectors: NDArray[np.bool_], share: float, seed: int) -> NDArray[np.bool_]:
    """The sectors of a share of the images, chosen as the paper does, of names in no order; nothing of the others."""
    names = [f"{seed_of(seed, 'backmix', 'name', row):016x}" for row in range(len(sectors))]
    return sectors & masked_items(names, share)[:, None, None]


def answered(network: ExpertNetwork, pictures: Pictures, classes: int) -> Answers:
    """How it answers."""
    levels = own_grey_levels(pictures.images, network.side)
    best = network.look(pictures.images, *levels).logits.argmax(axis=1)
    return Answers(100 * float(np.mean(best == pictures.labels)), 100 * macro_f1(pictures.labels, best, classes))


def macro_f1(truth: Numbers, answers: Numbers, classes: int) -> float:
    """Mean over classes of 2 TP / (2 TP + FP + FN), over those that occur in either."""
    table = np.zeros((classes, classes))
    np.add.at(table, (truth, answers), 1)
    said, hit = table.sum(axis=0) + table.sum(axis=1), np.diag(table)
    return float(np.mean(2 * hit[said > 0] / said[said > 0]))


def focused(network: ExpertNetwork, pictures: Pictures) -> Focus:
    """Where it looks for the true view, in the first images of a set; nothing to see in an image counts in no mean."""
    import torch

    images, sectors = pictures.images[:EXPLAINED], pictures.sectors[:EXPLAINED]
    shown = network.given(images, *own_grey_levels(images, network.side))
    classes = torch.from_numpy(pictures.labels[:EXPLAINED])
    cam = grad_cam(network.network, network.network.layer4, shown, classes)
    gradients = integrated_gradients(network.network, shown, classes, STEPS)
    energy, focus, gradients_energy, gradients_focus = (
        float(np.nanmean(share(one, sectors)))
        for one in (cam, gradients)
        for share in (energy_percentage, focus_percentage)
    )
    return Focus(energy, focus, gradients_energy, gradients_focus, 100 * float(sectors.mean()))


def blanked(pictures: Pictures) -> Pictures:
    """The same, black outside the sector, as intake leaves a hospital's images."""
    return replace(pictures, images=pictures.images * pictures.sectors.astype(np.uint8))


def mean_of(answers: Sequence[Answers]) -> Answers:
    """Over several sets."""
    return Answers(*(float(np.mean([getattr(one, name) for one in answers])) for name in ("accuracy", "macro_f1")))
