"""Reconstruction: a network that learns a heart's volume from a few named views of it, and leaves as weights.

Cases: pictures of hearts whose volume is known, with their view as label, so that the patients behind each view are
held to the site's limits; a view of too few patients is none that the network is built for. The network carries what
this site's pictures look like to it, so that whoever fuses several can weigh each of them for every heart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from federated.disclosure import Limits
from federated.errors import DataError
from site_agent.drafts import Draft
from site_agent.heart_planes import CODES, named
from site_agent.hearts import HOW, Heart, hearts_of, shown
from site_agent.local_experts import Trained, Wanted, trained
from site_agent.tasks.blocks import TRAIN, Selection, select
from site_agent.tasks.exchanged import FOLDS, FREE, SEED, VALIDATION, learn_reference, weights_draft

if TYPE_CHECKING:
    import torch

    from shared_models.recipe import Recipe
    from shared_models.reconstruction.view_network import ViewNetwork
    from shared_models.training import Task
    from site_agent.home import SiteHome
    from site_agent.policy import Policy

TASK, ARCHITECTURE = "reconstruction", "pix2vox"
CLIP = 5.0


@dataclass(frozen=True)
class Lesson:
    """Hearts of a batch that are learnt from.

    Attributes:
        views: names of those that are taught, in the order of their channels.
        folds: fold -> hearts, with these views alone and at the network's size.
        selection: the same as the filters count them, one row a picture, with its view's code as label.
    """

    views: tuple[str, ...]
    folds: dict[str, list[Heart]]
    selection: Selection

    @property
    def codes(self) -> tuple[str, ...]:
        """Of the views."""
        return tuple(CODES[view] for view in self.views)


def views_of(home: SiteHome) -> tuple[str, ...]:
    """Names of the views that a site may teach: those of its settings that its federation, if of this task, knows.

    Raises:
        DataError: there is none.
    """
    asked = named(home.config.reconstruction.views)
    known = home.vocabulary.codes if home.config.task == TASK else tuple(CODES.values())
    if not (there := tuple(view for view in asked if CODES[view] in known)):
        raise DataError(
            f"the federation's labels hold none of the views {', '.join(asked)}",
            where=str(home.path / "config.toml"),
            cure="name others as views under [reconstruction]",
        )
    return there


def lesson(home: SiteHome, batch: str, limits: Limits = FREE) -> Lesson:
    """What a batch teaches.

    Raises:
        DataError: no training patient has a heart with one of the views, or a volume is too coarse.
        DisclosureError: no view has patients enough.
    """
    views, size = views_of(home), home.config.reconstruction.size
    hearts = [heart for heart in hearts_of(home, batch=batch) if heart.case.fold in FOLDS]
    there = shown(hearts, views, size)
    if not any(heart.case.fold == TRAIN for heart in there):
        raise DataError(
            f"no training patient has a heart with a picture of {' or '.join(views)}", where=f"batch {batch}", cure=HOW
        )
    chosen = select([row for heart in there for row in heart.cases], limits, where=f"batch {batch}")
    taught = tuple(view for view in views if CODES[view] in {row.label for row in chosen.folds[TRAIN]})
    folds = {fold: [found for heart in there if (found := _only(heart, fold, chosen))] for fold in chosen.folds}
    return Lesson(taught, folds, chosen)


def _only(heart: Heart, fold: str, chosen: Selection) -> Heart | None:
    """With the pictures of a fold that are kept."""
    pairs = zip(heart.views, heart.cases, strict=True)
    return heart.only([view for view, row in pairs if row.fold == fold and chosen.keeps(row)])


def selection(home: SiteHome, batch: str, policy: Policy) -> Selection:
    """Pictures of a batch that may leave, with the view as label."""
    return lesson(home, batch, policy.weights.limits).selection


def train(home: SiteHome, batch: str, limits: Limits = FREE) -> Trained:
    """The site's expert of a batch, which is trained once.

    Raises:
        ConsiliumError: there is nothing to learn from, or the training goes astray.
    """
    return _trained(home, batch, lesson(home, batch, limits))


def _trained(home: SiteHome, batch: str, taught: Lesson) -> Trained:
    from shared_models.reconstruction.volume_metrics import IOU

    settings = home.config.reconstruction
    images = {
        fold: sorted([heart.case.sha256, list(heart.views), int(heart.target.sum())] for heart in hearts)
        for fold, hearts in taught.folds.items()
    }
    wanted = Wanted(
        task=TASK,
        batch=batch,
        labels=taught.codes,
        architecture=ARCHITECTURE,
        config={
            "size": settings.size,
            "views": ",".join(taught.views),
            "trunk": settings.trunk,
            "shrink": settings.shrink,
            "bottleneck": settings.bottleneck,
        },
        key=[images, settings.epochs, settings.batch, settings.rate],
        metric=IOU,
    )
    return trained(home, wanted, _teacher(home, taught), _finisher(taught))


def _teacher(home: SiteHome, taught: Lesson) -> Callable[[torch.nn.Module], tuple[Task, Recipe]]:
    def learn(network: torch.nn.Module) -> tuple[Task, Recipe]:
        from shared_models.recipe import Recipe
        from shared_models.reconstruction.reconstruction_training import ReconstructionTask
        from shared_models.reconstruction.volume_metrics import IOU

        settings, judging = home.config.reconstruction, taught.folds.get(VALIDATION, [])
        recipe = Recipe(
            epochs=settings.epochs,
            batch=settings.batch,
            rate=settings.rate,
            seed=SEED,
            optimiser="adam",
            schedule="cosine",
            warm_up=0.05,
            clip=CLIP,
            precision="auto",
            metric=IOU if judging else "",
        )
        return ReconstructionTask(cast("ViewNetwork", network), taught.folds[TRAIN], judging), recipe

    return learn


def _finisher(taught: Lesson) -> Callable[[torch.nn.Module], None]:
    def finish(network: torch.nn.Module) -> None:
        from shared_models.reconstruction_expert import rebuilt

        learn_reference(
            network,
            taught.folds,
            lambda heart: heart.case,
            lambda hearts: rebuilt(cast("ViewNetwork", network), hearts).features,
        )

    return finish


def draft(home: SiteHome, kind: str, batch: str, policy: Policy) -> Draft:
    """What a batch would send; equal bytes for equal cases, so that a repeated draft is the same draft.

    Raises:
        ConsiliumError: no view has patients enough, or the training goes astray.
    """
    taught = lesson(home, batch, policy.rule(kind).limits)
    expert = _trained(home, batch, taught).expert
    return weights_draft(home, batch, taught.codes, expert, taught.selection.folds)
