"""Segmentation: a U-Net that learns the structures a site has drawn in its images, and leaves as weights.

Cases: images with a label map, a few of each clip. A structure counts as a label, so that the patients behind each are
held to the site's limits; what too few of them show is taught as background. The network carries what this site's
images look like to it, so that whoever fuses several can weigh each of them for every image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from federated.disclosure import Limits
from federated.errors import DataError
from federated.vocabulary import builtin_vocabulary
from site_agent.drafts import Draft
from site_agent.local_experts import Trained, Wanted, trained
from site_agent.tasks.blocks import TRAIN, Selection, select
from site_agent.tasks.exchanged import FOLDS, FREE, SEED, VALIDATION, learn_reference, weights_draft
from site_agent.truth import MaskedCase, masked_cases

if TYPE_CHECKING:
    import torch

    from shared_models.recipe import Recipe
    from shared_models.segmentation import Masked
    from shared_models.training import Task
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome
    from site_agent.policy import Policy

TASK, ARCHITECTURE = "segmentation", "unet"
DECAY = 1e-4


@dataclass(frozen=True)
class Lesson:
    """Images of a batch that are learnt from.

    Attributes:
        structures: codes of those that are taught; a mask's value n stands for the n-th.
        folds: fold -> images with masks.
        selection: the same as the filters count them, one row a structure in an image.
    """

    structures: tuple[str, ...]
    folds: dict[str, list[MaskedCase]]
    selection: Selection


def structures_of(home: SiteHome) -> tuple[str, ...]:
    """Codes of the structures that a site may teach: its federation's, or those that the program knows."""
    return tuple(meanings_of(home))


def meanings_of(home: SiteHome) -> dict[str, str]:
    """What these codes mean, in their order."""
    vocabulary = home.vocabulary if home.config.task == TASK else builtin_vocabulary("chambers")
    return {concept.code: concept.meaning for concept in vocabulary.concepts}


def lesson(home: SiteHome, batch: str, limits: Limits = FREE) -> Lesson:
    """What a batch teaches.

    Raises:
        DataError: no image of it has a mask.
        DisclosureError: no structure has patients enough.
    """
    known = structures_of(home)
    masked = [each for each in masked_cases(home, known, batch=batch) if each.case.fold in FOLDS]
    if not any(each.case.fold == TRAIN for each in masked):
        raise DataError(
            "no training patient has an image with a mask", where=f"batch {batch}", cure="take in images with masks"
        )
    chosen = select([row for each in masked for row in rows_of(each, known)], limits, where=f"batch {batch}")
    taught = {row.label for row in chosen.folds[TRAIN]}
    structures = tuple(code for code in known if code in taught)
    values = [known.index(code) + 1 for code in structures]
    folds = {
        fold: [_taught(each, values) for each in masked if each.case.fold == fold and chosen.keeps(each.case)]
        for fold in chosen.folds
    }
    return Lesson(structures, folds, chosen)


def rows_of(each: MaskedCase, structures: Sequence[str]) -> list[Case]:
    """A case for every structure that a mask shows, with the structure as its label."""
    shown = np.unique(each.mask)
    return [replace(each.case, label=structures[value - 1]) for value in shown.tolist() if value]


def _taught(each: MaskedCase, values: Sequence[int]) -> MaskedCase:
    """With a mask in which the n-th of some values is n, and any other is 0."""
    table = np.zeros(256, dtype=np.uint8)
    table[list(values)] = np.arange(1, len(values) + 1)
    labelled = tuple(sorted(int(table[value]) for value in each.labelled if table[value]))
    return replace(each, mask=table[each.mask], labelled=labelled)


def selection(home: SiteHome, batch: str, policy: Policy) -> Selection:
    """Cases of a batch that may leave, one row a structure in an image."""
    return lesson(home, batch, policy.weights.limits).selection


def train(home: SiteHome, batch: str, limits: Limits = FREE) -> Trained:
    """The site's expert of a batch, which is trained once.

    Raises:
        ConsiliumError: there is nothing to learn from, or the training goes astray.
    """
    return _trained(home, batch, lesson(home, batch, limits))


def _trained(home: SiteHome, batch: str, taught: Lesson) -> Trained:
    from shared_models.segmentation import DICE

    settings = home.config.segmentation
    sizes = {"side": settings.side, "width": settings.width, "levels": settings.levels}
    images = {
        fold: sorted([each.case.sha256, each.case.frame, int(each.mask.sum())] for each in cases)
        for fold, cases in taught.folds.items()
    }
    wanted = Wanted(
        task=TASK,
        batch=batch,
        labels=taught.structures,
        architecture=ARCHITECTURE,
        config={"classes": 1 + len(taught.structures), **sizes},
        key=[images, settings.epochs, settings.batch, settings.rate],
        metric=DICE,
    )
    return trained(home, wanted, _teacher(home, taught), _finisher(home, taught))


def _teacher(home: SiteHome, taught: Lesson) -> Callable[[torch.nn.Module], tuple[Task, Recipe]]:
    def learn(network: torch.nn.Module) -> tuple[Task, Recipe]:
        from shared_models.recipe import Recipe
        from shared_models.segmentation import DICE, SegmentationTask

        settings = home.config.segmentation
        train, validation = (masked_of(taught.folds.get(fold, []), settings.side) for fold in (TRAIN, VALIDATION))
        recipe = Recipe(
            epochs=settings.epochs,
            batch=settings.batch,
            rate=settings.rate,
            seed=SEED,
            decay=DECAY,
            schedule="cosine",
            warm_up=0.1,
            metric=DICE if validation else "",
        )
        return SegmentationTask(network, settings.side, train, validation or None), recipe

    return learn


def _finisher(home: SiteHome, taught: Lesson) -> Callable[[torch.nn.Module], None]:
    def finish(network: torch.nn.Module) -> None:
        from shared_models.segmentation import segmented

        side = home.config.segmentation.side
        learn_reference(
            network,
            taught.folds,
            lambda each: each.case,
            lambda cases: segmented(network, images_of(cases, side)).features,
        )

    return finish


def images_of(cases: Sequence[MaskedCase], side: int) -> Any:
    """(n, side, side) images, stretched to the side that a network sees."""
    from shared_models.scaling import resized

    return np.stack([resized(each.image, side) for each in cases])


def masked_of(cases: Sequence[MaskedCase], side: int) -> list[Masked]:
    """Images and masks at a side, those apart whose masks can show other structures."""
    from shared_models.scaling import resized_labels
    from shared_models.segmentation import Masked

    groups: dict[tuple[int, ...], list[MaskedCase]] = {}
    for each in cases:
        groups.setdefault(each.labelled, []).append(each)
    return [
        Masked(images_of(group, side), np.stack([resized_labels(each.mask, (side, side)) for each in group]), labelled)
        for labelled, group in groups.items()
    ]


def draft(home: SiteHome, kind: str, batch: str, policy: Policy) -> Draft:
    """What a batch would send; equal bytes for equal cases, so that a repeated draft is the same draft.

    Raises:
        ConsiliumError: no structure has patients enough, or the training goes astray.
    """
    taught = lesson(home, batch, policy.rule(kind).limits)
    expert = _trained(home, batch, taught).expert
    return weights_draft(home, batch, taught.structures, expert, taught.selection.folds)
