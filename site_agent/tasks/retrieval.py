"""Retrieval: an encoder that learns from a site's clips, without labels, what looks alike, and leaves as weights.

What is learnt from are pairs of neighbouring frames, a few of each clip; stills have no neighbours. A clip counts under
what it shows, so that the patients behind each label are held to the site's limits; clips without a label teach an
encoder that is not sent. The network carries what this site's frames look like to it, so that others can weigh it for
every image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.disclosure import Limits
from site_agent.drafts import Draft
from site_agent.local_experts import Trained, Wanted, trained
from site_agent.tasks.blocks import TRAIN, Selection
from site_agent.tasks.clip_lesson import ClipLesson, clip_lesson, is_sent
from site_agent.tasks.exchanged import FREE, SEED, VALIDATION, learn_reference, weights_draft
from site_agent.truth import Clip

if TYPE_CHECKING:
    import torch

    from shared_models.recipe import Recipe
    from shared_models.training import Task
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome
    from site_agent.policy import Policy

TASK, ARCHITECTURE = "retrieval", "place_encoder"
ARCHITECTURES = (ARCHITECTURE, "clip_encoder")  # that answer here; the first is trained
GAP = 2  # frames from one of a pair to the other
MOST = 32  # pairs of a clip, evenly spaced
SAMPLES = 400  # pairs an epoch at least, where there are so many; more clips than that are seen once each
NOTHING = "no training patient has a clip to learn neighbouring frames from, and stills have none"
Frames = NDArray[np.uint8]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """Two neighbouring frames of a clip: the first one as a case, and the places of both among the working images."""

    clip: Clip
    case: Case
    places: tuple[int, int]


def lesson(home: SiteHome, batch: str, limits: Limits = FREE, *, unlabelled: bool = True) -> ClipLesson[Pair]:
    """What a batch teaches, as `clip_lesson`."""
    return clip_lesson(home, batch, limits, pairs_of, unlabelled=unlabelled, nothing=NOTHING)


def pairs_of(home: SiteHome, clips: Sequence[Clip]) -> list[Pair]:
    """Neighbouring frames of clips, as many as are kept of each; none of stills."""
    return [pair for clip in clips for pair in _pairs(home, clip)]


def _pairs(home: SiteHome, clip: Clip) -> list[Pair]:
    numbers = home.archive.cache.read(clip.key, "numbers").tolist()
    last = len(numbers) - GAP - 1
    begins = sorted({round(place) for place in np.linspace(0, last, MOST)}) if last >= 0 else []
    return [Pair(clip, clip.case(numbers[begin], begin), (begin, begin + GAP)) for begin in begins]


def frames_of(home: SiteHome, pairs: Sequence[Pair], side: int) -> Frames:
    """(n, 2, side, side), stretched to the side that a network sees."""
    from shared_models.clip_windows import at_side

    cache = home.archive.cache
    shown: dict[str, Frames] = {}
    for pair in pairs:
        if pair.clip.key not in shown:
            shown[pair.clip.key] = at_side(cache.frames(pair.clip.key), side)
    return np.stack([shown[pair.clip.key][list(pair.places)] for pair in pairs])


def different(shown: Frames, clips: Rows) -> Rows:
    """Rows of pairs that are learnt from, in their order: of a picture that is held, one pair of each clip.

    Beside itself it would be taken for another place.

    Args:
        shown: (n, 2, S, S).
        clips: (n,) of which clip a pair is.
    """
    from shared_models.clip_windows import still

    held = np.concatenate([still(shown[begin : begin + MOST]) for begin in range(0, len(shown), MOST)])
    _, first = np.unique(clips[held], return_index=True)
    return np.sort(np.concatenate([np.flatnonzero(~held), np.flatnonzero(held)[first]]))


def selection(home: SiteHome, batch: str, policy: Policy) -> Selection:
    """Cases of a batch that may leave, with what their clip shows as label."""
    return lesson(home, batch, policy.weights.limits, unlabelled=False).selection


def train(home: SiteHome, batch: str, limits: Limits = FREE) -> Trained:
    """The site's encoder of a batch, which is trained once.

    Raises:
        ConsiliumError: there is nothing to learn from, or the training goes astray.
    """
    return _trained(home, batch, lesson(home, batch, limits, unlabelled=not is_sent(home, TASK, batch)))


def _trained(home: SiteHome, batch: str, taught: ClipLesson[Pair]) -> Trained:
    from shared_models.retrieval_training import INFO_NCE

    settings = home.config.retrieval
    images = {fold: sorted([pair.case.sha256, *pair.places] for pair in pairs) for fold, pairs in taught.folds.items()}
    names = ("side", "width", "cells")
    wanted = Wanted(
        task=TASK,
        batch=batch,
        labels=taught.labels,
        architecture=ARCHITECTURE,
        config={name: getattr(settings, name) for name in names},
        key=[images, settings.epochs, settings.batch, settings.beside, settings.rate, settings.temperature],
        metric=INFO_NCE,
    )
    return trained(home, wanted, _teacher(home, taught), _finisher(home, taught))


def _teacher(home: SiteHome, taught: ClipLesson[Pair]) -> Callable[[torch.nn.Module], tuple[Task, Recipe]]:
    def learn(network: torch.nn.Module) -> tuple[Task, Recipe]:
        from shared_models.clip_changes import OURS
        from shared_models.recipe import Recipe
        from shared_models.retrieval_training import ContrastiveTask

        settings = home.config.retrieval
        pairs, judging = taught.folds[TRAIN], taught.folds.get(VALIDATION, [])
        shown, sweeps = frames_of(home, pairs, settings.side), np.array([pair.clip.id for pair in pairs])
        rows = different(shown, sweeps)
        recipe = Recipe(
            epochs=settings.epochs,
            batch=settings.batch,
            rate=settings.rate,
            seed=SEED,
            decay=1e-2,
            schedule="cosine",
            warm_up=0.1,
            samples_an_epoch=max(SAMPLES, len(np.unique(sweeps))),
        )
        task = ContrastiveTask(
            network,
            shown[rows],
            frames_of(home, judging, settings.side) if judging else None,
            changes=OURS,
            sweeps=sweeps[rows],
            beside=settings.beside,
            temperature=settings.temperature,
        )
        return task, recipe

    return learn


def _finisher(home: SiteHome, taught: ClipLesson[Pair]) -> Callable[[torch.nn.Module], None]:
    def finish(network: torch.nn.Module) -> None:
        from shared_models.retrieval_training import codes

        side = home.config.retrieval.side
        learn_reference(
            network,
            taught.folds,
            lambda pair: pair.case,
            lambda pairs: codes(network, frames_of(home, pairs, side)[:, :1]),
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
