"""Registration: a network that learns from a site's clips, without labels, where tissue goes, and leaves as weights.

What is learnt from are frames of a clip and its end-diastole, both ways; stills have no other frame. A clip counts
under what it shows, so that the patients behind each label are held to the site's limits; clips without a label teach
an expert that is not sent. The network carries what this site's pairs look like to it, so that others can weigh it for
every pair; these are of frames that move and an end-diastole that is fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from federated.disclosure import Limits
from site_agent.drafts import Draft
from site_agent.frame_pairs import FramePair, frame_pairs, images_at, learnt_pairs
from site_agent.local_experts import Trained, Wanted, trained
from site_agent.tasks.blocks import TRAIN, Selection
from site_agent.tasks.clip_lesson import ClipLesson, clip_lesson, is_sent
from site_agent.tasks.exchanged import FREE, SEED, VALIDATION, learn_reference, weights_draft

if TYPE_CHECKING:
    import torch

    from shared_models.recipe import Recipe
    from shared_models.training import Task
    from site_agent.home import SiteHome
    from site_agent.policy import Policy

TASK, ARCHITECTURE = "registration", "diff_fourier_net"
NOTHING = "no training patient has a clip to learn from how tissue moves, and a still does not move"


def lesson(home: SiteHome, batch: str, limits: Limits = FREE, *, unlabelled: bool = True) -> ClipLesson[FramePair]:
    """What a batch teaches, as `clip_lesson`."""
    return clip_lesson(home, batch, limits, frame_pairs, unlabelled=unlabelled, nothing=NOTHING)


def selection(home: SiteHome, batch: str, policy: Policy) -> Selection:
    """Cases of a batch that may leave, with what their clip shows as label."""
    return lesson(home, batch, policy.weights.limits, unlabelled=False).selection


def train(home: SiteHome, batch: str, limits: Limits = FREE) -> Trained:
    """The site's expert of a batch, which is trained once.

    Raises:
        ConsiliumError: there is nothing to learn from, or the training goes astray.
    """
    return _trained(home, batch, lesson(home, batch, limits, unlabelled=not is_sent(home, TASK, batch)))


def _trained(home: SiteHome, batch: str, taught: ClipLesson[FramePair]) -> Trained:
    from shared_models.registration.registration_training import SIMILARITY

    settings = home.config.registration
    images = {fold: sorted([pair.case.sha256, *pair.places] for pair in pairs) for fold, pairs in taught.folds.items()}
    how = [settings.epochs, settings.batch, settings.rate, settings.similarity, settings.smoothness]
    wanted = Wanted(
        task=TASK,
        batch=batch,
        labels=taught.labels,
        architecture=ARCHITECTURE,
        config={"side": settings.side, "width": settings.width},
        key=[images, *how],
        metric=SIMILARITY,
    )
    return trained(home, wanted, _teacher(home, taught), _finisher(home, taught))


def _teacher(home: SiteHome, taught: ClipLesson[FramePair]) -> Callable[[torch.nn.Module], tuple[Task, Recipe]]:
    def learn(network: torch.nn.Module) -> tuple[Task, Recipe]:
        from shared_models.recipe import Recipe
        from shared_models.registration.network import RegistrationNetwork
        from shared_models.registration.registration_loss import RegistrationLoss
        from shared_models.registration.registration_training import SIMILARITY, RegistrationTask

        assert isinstance(network, RegistrationNetwork)
        settings = home.config.registration
        judging = taught.folds.get(VALIDATION, [])
        recipe = Recipe(
            epochs=settings.epochs,
            batch=settings.batch,
            rate=settings.rate,
            seed=SEED,
            optimiser="adam",
            schedule="cosine",
            warm_up=0.05,
            clip=1.0,
            metric=SIMILARITY if judging else "",
            smallest=bool(judging),
        )
        task = RegistrationTask(
            network,
            learnt_pairs(home, taught.folds[TRAIN], settings.side),
            learnt_pairs(home, judging, settings.side, drawn=True) if judging else None,
            loss=RegistrationLoss(settings.similarity, settings.smoothness),
        )
        return task, recipe

    return learn


def _finisher(home: SiteHome, taught: ClipLesson[FramePair]) -> Callable[[torch.nn.Module], None]:
    def finish(network: torch.nn.Module) -> None:
        from shared_models.registration_expert import velocities

        side = home.config.registration.side
        learn_reference(
            network,
            taught.folds,
            lambda pair: pair.case,
            lambda pairs: velocities(network, *images_at(home, pairs, side)).features,
        )

    return finish


def draft(home: SiteHome, kind: str, batch: str, policy: Policy) -> Draft:
    """What a batch would send; equal bytes for equal cases, so that a repeated draft is the same draft.

    Raises:
        ConsiliumError: no label has patients enough, or the training goes astray.
    """
    taught = lesson(home, batch, policy.rule(kind).limits, unlabelled=False)
    expert = _trained(home, batch, taught).expert
    return weights_draft(home, batch, taught.labels, expert, taught.selection.folds)
