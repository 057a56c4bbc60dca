"""Contours of the left ventricle: a network that learns seven points from what experts drew, and leaves as weights.

Cases: images in which the ventricle is outlined, a few of each clip, with their view as label, so that the patients
behind each view are held to the site's limits. The network carries what this site's images look like to it, so that
whoever fuses several can weigh each of them for every image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from federated.disclosure import Limits
from federated.errors import DataError
from federated.vocabulary import Vocabulary, builtin_vocabulary
from site_agent.contour_truth import ContouredCase, contoured_cases
from site_agent.drafts import Draft
from site_agent.local_experts import Trained, Wanted, trained
from site_agent.tasks.blocks import TRAIN, Selection, select
from site_agent.tasks.exchanged import FOLDS, FREE, SEED, VALIDATION, learn_reference, weights_draft

if TYPE_CHECKING:
    import torch

    from shared_models.contour_training import Contoured
    from shared_models.recipe import Recipe
    from shared_models.training import Task
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome
    from site_agent.policy import Policy

TASK, ARCHITECTURE = "contour", "contour_network"
REFERENCE = "trunk."  # where in its state a network of contours has its reference


@dataclass(frozen=True)
class Lesson:
    """Images of a batch that are learnt from.

    Attributes:
        views: codes of those that are taught.
        folds: fold -> images with contours.
        selection: the same as the filters count them, with the view as label.
    """

    views: tuple[str, ...]
    folds: dict[str, list[ContouredCase]]
    selection: Selection


def vocabulary_of(home: SiteHome) -> Vocabulary:
    """The views that a site may teach: its federation's, or those that the program knows."""
    return home.vocabulary if home.config.task == TASK else builtin_vocabulary("heart")


def lesson(home: SiteHome, batch: str, limits: Limits = FREE) -> Lesson:
    """What a batch teaches.

    Raises:
        DataError: no training image of it has a contour.
        DisclosureError: no view has patients enough.
    """
    known = [concept.code for concept in vocabulary_of(home).concepts]
    drawn = contoured_cases(home, batch=batch)
    there = [each for each in drawn if each.case.fold in FOLDS and each.view in known]
    if not any(each.case.fold == TRAIN for each in there):
        raise DataError(
            "no training patient has an image with a contour in a view of the federation",
            where=f"batch {batch}",
            cure="take in apical views with masks or curves of the left ventricle",
        )
    chosen = select([_row(each) for each in there], limits, where=f"batch {batch}")
    taught = {row.label for row in chosen.folds[TRAIN]}
    folds = {
        fold: [each for each in there if each.case.fold == fold and chosen.keeps(each.case)] for fold in chosen.folds
    }
    return Lesson(tuple(code for code in known if code in taught), folds, chosen)


def _row(each: ContouredCase) -> Case:
    return replace(each.case, label=each.view)


def selection(home: SiteHome, batch: str, policy: Policy) -> Selection:
    """Cases of a batch that may leave, with the view as label."""
    return lesson(home, batch, policy.weights.limits).selection


def train(home: SiteHome, batch: str, limits: Limits = FREE) -> Trained:
    """The site's expert of a batch, which is trained once.

    Raises:
        ConsiliumError: there is nothing to learn from, or the training goes astray.
    """
    return _trained(home, batch, lesson(home, batch, limits))


def _trained(home: SiteHome, batch: str, taught: Lesson) -> Trained:
    from shared_models.contour_training import ERROR

    settings = home.config.contour
    images = {
        fold: sorted([each.case.sha256, each.case.frame, each.points.round(3).tolist()] for each in cases)
        for fold, cases in taught.folds.items()
    }
    wanted = Wanted(
        task=TASK,
        batch=batch,
        labels=taught.views,
        architecture=ARCHITECTURE,
        config={"side": settings.side, "width": settings.width, "levels": settings.levels},
        key=[images, settings.epochs, settings.batch, settings.rate],
        metric=ERROR,
    )
    return trained(home, wanted, _teacher(home, taught), _finisher(home, taught))


def _teacher(home: SiteHome, taught: Lesson) -> Callable[[torch.nn.Module], tuple[Task, Recipe]]:
    def learn(network: torch.nn.Module) -> tuple[Task, Recipe]:
        from shared_models.contour_training import ERROR, ContourTask
        from shared_models.recipe import Recipe

        settings = home.config.contour
        judging = taught.folds.get(VALIDATION, [])
        recipe = Recipe(
            epochs=settings.epochs,
            batch=settings.batch,
            rate=settings.rate,
            seed=SEED,
            schedule="cosine",
            warm_up=0.05,
            clip=5.0,
            precision="auto",
            metric=ERROR if judging else "",
            smallest=bool(judging),
        )
        validation = contoured_of(judging, settings.side) if judging else None
        return ContourTask(network, settings.side, contoured_of(taught.folds[TRAIN], settings.side), validation), recipe

    return learn


def _finisher(home: SiteHome, taught: Lesson) -> Callable[[torch.nn.Module], None]:
    def finish(network: torch.nn.Module) -> None:
        from shared_models.contour_training import contours

        side = home.config.contour.side
        learn_reference(
            network.get_submodule(REFERENCE.rstrip(".")),
            taught.folds,
            lambda each: each.case,
            lambda cases: contours(network, images_of(cases, side)).features,
        )

    return finish


def images_of(cases: Sequence[ContouredCase], side: int) -> Any:
    """(n, side, side) images, stretched to the side that a network sees."""
    from shared_models.scaling import resized

    return np.stack([resized(each.image, side) for each in cases])


def contoured_of(cases: Sequence[ContouredCase], side: int) -> Contoured:
    """Images and points at a side, of images of any sizes."""
    from shared_models.contour_training import Contoured, at_side

    parts = [at_side(Contoured(each.image[None], each.points[None]), side) for each in cases]
    return Contoured(np.concatenate([part.images for part in parts]), np.concatenate([part.points for part in parts]))


def draft(home: SiteHome, kind: str, batch: str, policy: Policy) -> Draft:
    """What a batch would send; equal bytes for equal cases, so that a repeated draft is the same draft.

    Raises:
        ConsiliumError: no view has patients enough, or the training goes astray.
    """
    taught = lesson(home, batch, policy.rule(kind).limits)
    expert = _trained(home, batch, taught).expert
    return weights_draft(home, batch, taught.views, expert, taught.selection.folds)
