"""Ways of finding a view again, each learnt from the same patients and tuned on the same others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval_data import MIDDLE, SIDE, Cohort
from federated.metrics import auroc
from shared_models.clip_changes import OURS
from shared_models.clip_encoder import clip_encoder
from shared_models.clip_windows import WINDOW, Clips, Rows, starts, still, windows
from shared_models.recipe import Recipe
from shared_models.retrieval_baselines import (
    Scores,
    SupervisedTask,
    correlation_scores,
    pair_network,
    supervised_scores,
)
from shared_models.retrieval_head import (
    ACCURACY,
    HeadTask,
    comparing_head,
    comparing_reading,
    published_head,
    published_reading,
    same_view,
    tripled,
    tripled_pairs,
)
from shared_models.retrieval_pairs import Labelled, Pairs, across_visits, pairs_across_sections, published_pairs
from shared_models.retrieval_training import INFO_NCE, ContrastiveTask, codes
from shared_models.training import train

if TYPE_CHECKING:
    import torch

PUBLISHED_NAME, OURS_NAME, COSINE_NAME = "published, as fits", "ours, head", "ours, cosine"
SUPERVISED_NAME, CORRELATION_NAME = "supervised pairs", "cross-correlation"
GAP, EVERY = 2, 3  # frames from one of a pair to the other; from pair to pair
COPIES = 2  # of each pair of visits among the pairs of neighbours
BESIDE, LEGS = 11, 8  # windows of the same leg beside each of a batch; of how many legs at least
SMALL = {"width": 8, "dense": 256, "projected": 128, "levels": 3, "stride": 2, "cells": 6, "side": SIDE}
CORRELATIONS = ((0.0, 0), (1.0, 0), (0.7, 2), (1.0, 2))  # smoothing and shift that are tried


@dataclass(frozen=True)
class Split:
    """Whom a fold learns from, is tuned on, and is tested on."""

    cohort: Cohort
    train: Rows
    validation: Rows
    test: Rows
    seed: int

    @property
    def one_frame(self) -> Labelled:
        """The cohort's clips, the frame in the middle of each: kernels never reach over time."""
        clips = self.cohort.labelled
        return replace(clips, clips=clips.clips[:, MIDDLE : MIDDLE + 1])


@dataclass(frozen=True)
class Budget:
    """Epochs of each part, so that the whole fits on one core."""

    ours: int = 3
    samples: int = 400
    published: int = 6
    head: int = 6
    supervised: int = 5
    pairs: int = 1600


@dataclass(frozen=True)
class Method:
    """One way: scores of pairs of the cohort's clips, and from which on they count as the same view."""

    scores: Scores
    threshold: float = 0.5


def neighbours(cohort: Cohort, patients: Rows) -> tuple[Clips, Rows]:
    """(n, 2, S, S) frames that lie GAP apart, of moving pictures and one of each frozen one; and the leg of each."""
    found: list[Clips] = []
    legs: list[tuple[int, bool]] = []
    for each in cohort.sweeps:
        if each.patient not in patients:
            continue
        moving = int((~each.frozen).sum())
        begins = [*range(0, moving - GAP, EVERY), moving]
        some = [each.frames[[begin, begin + GAP]] for begin in begins if begin + GAP < len(each.frames)]
        found += some
        legs += [(each.patient, each.right)] * len(some)
    patients_of, right = (np.array(column) for column in zip(*legs, strict=True))
    return np.stack(found), leg_of(patients_of, right)


def leg_of(patients: Rows, right: NDArray[np.bool_]) -> Rows:
    """Numbers from 1."""
    return 2 * patients + right + 1


def visits(split: Split, patients: Rows) -> tuple[Clips, Rows]:
    """(n, 2, S, S) frames of standard views of a leg at two visits; and the leg of each."""
    clips = split.one_frame
    rows = across_visits(clips, patients, split.seed)
    first = rows[:, 0]
    return clips.clips[rows, 0], leg_of(clips.patients[first], clips.right[first])


def encoder_task(split: Split, patients: Rows, network: torch.nn.Module) -> ContrastiveTask:
    """Ours, of some patients: neighbours, and standard views of two visits."""
    near, legs = neighbours(split.cohort, patients)
    apart, whose = visits(split, patients)
    return ContrastiveTask(
        network,
        np.concatenate([near, *[apart] * COPIES]),
        visits(split, split.validation)[0],
        changes=OURS,
        sweeps=np.concatenate([legs, *[-whose] * COPIES]),
        beside=BESIDE,
    )


def encoder_recipe(split: Split, budget: Budget) -> Recipe:
    """Half a cosine; the epoch is chosen by other patients' visits."""
    return Recipe(
        epochs=budget.ours,
        batch=LEGS,
        rate=2e-3,
        seed=split.seed,
        decay=1e-2,
        schedule="cosine",
        warm_up=0.1,
        metric=INFO_NCE,
        smallest=True,
        samples_an_epoch=budget.samples,
    )


def new_encoder(seed: int, *, small: bool = True) -> torch.nn.Module:
    """Ours, or the published one."""
    import torch

    torch.manual_seed(seed)
    return clip_encoder(**SMALL) if small else clip_encoder(side=SIDE)


def ours(split: Split, budget: Budget) -> tuple[dict[str, Method], torch.nn.Module]:
    """The encoder, by cosine and under a head that compares."""
    network = new_encoder(split.seed)
    train(encoder_task(split, split.train, network), encoder_recipe(split, budget), device="cpu")
    return {COSINE_NAME: Method(cosine_scores(split, network)), OURS_NAME: _comparing(split, budget, network)}, network


def cosine_scores(split: Split, network: torch.nn.Module) -> Scores:
    """Cosines of codes, between 0 and 1."""
    said = codes(network, split.one_frame.clips)
    said /= np.linalg.norm(said, axis=1, keepdims=True)
    return lambda first, second: (1 + (said[first] * said[second]).sum(axis=1)) / 2


def _comparing(split: Split, budget: Budget, network: torch.nn.Module) -> Method:
    reading = comparing_reading(network, split.one_frame.clips)
    head = comparing_head(network)
    sets = [pairs_across_sections(split.one_frame, each, split.seed) for each in (split.train, split.validation)]
    recipe = Recipe(
        epochs=budget.head,
        batch=128,
        rate=1e-3,
        seed=split.seed,
        decay=1e-2,
        schedule="cosine",
        metric=ACCURACY,
        samples_an_epoch=8 * budget.pairs,
    )
    train(HeadTask(head, reading, *sets), recipe, device="cpu")
    return Method(lambda first, second: same_view(head, reading, first, second))


def published(split: Split, budget: Budget) -> Method:
    """The published network, windows, pairs and head, in fewer epochs at a higher rate."""
    network = new_encoder(split.seed, small=False)
    task = ContrastiveTask(network, held_windows(split, split.train), held_windows(split, split.validation))
    recipe = Recipe(epochs=budget.published, batch=40, rate=1e-3, seed=split.seed, optimiser="adam", metric=INFO_NCE)
    train(task, replace(recipe, smallest=True), device="cpu")
    clips, count = split.one_frame, len(split.one_frame.clips)
    reading = published_reading(network, tripled(clips.clips, split.seed))
    head = published_head(network)
    pairs, held = (published_pairs(clips, each, split.seed) for each in (split.train, split.validation))
    taught = Recipe(
        epochs=2,
        batch=42,
        rate=3e-4,
        seed=split.seed,
        optimiser="adam",
        metric=ACCURACY,
        samples_an_epoch=4 * budget.pairs,
    )
    train(HeadTask(head, reading, tripled_pairs(pairs, count), held), taught, device="cpu")
    return Method(lambda first, second: same_view(head, reading, first, second))


def held_windows(split: Split, patients: Rows) -> Clips:
    """(n, 2, S, S) as published: windows of frozen pictures alone; of five frames that are alike the middle one."""
    found = []
    for each in split.cohort.sweeps:
        if each.patient in patients:
            begins = starts(len(each.frames))
            some = windows(each.frames)[still(windows(each.images))] if len(begins) else windows(each.frames)
            found.append(some[:, [MIDDLE, WINDOW - 1 - MIDDLE]])
    return np.concatenate(found)


def supervised(split: Split, budget: Budget) -> Method:
    """The network taught on pairs alone, of our sizes, since it is better so, on both rules' pairs."""
    clips = split.one_frame
    network = pair_network(new_encoder(split.seed), SMALL["projected"])
    task = SupervisedTask(
        network, clips.clips, _both(clips, split.train, split.seed), _both(clips, split.validation, split.seed)
    )
    recipe = Recipe(
        epochs=budget.supervised,
        batch=40,
        rate=1e-3,
        seed=split.seed,
        schedule="cosine",
        decay=1e-2,
        metric=ACCURACY,
        samples_an_epoch=budget.pairs,
    )
    train(task, recipe, device="cpu")
    return Method(supervised_scores(network, clips.clips))


def _both(clips: Labelled, patients: Rows, seed: int) -> Pairs:
    parts = [rule(clips, patients, seed) for rule in (published_pairs, pairs_across_sections)]
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("first", "second", "same")))


def correlation(split: Split) -> Method:
    """Smoothing, shift and threshold are those that tell validation patients' pairs apart best."""
    clips = split.one_frame
    pairs = published_pairs(clips, split.validation, split.seed)
    best: tuple[float, Scores] | None = None
    for smooth, shift in CORRELATIONS:
        scores = correlation_scores(clips.clips, smooth, shift)
        said = scores(pairs.first, pairs.second)
        area = auroc(said[pairs.same], said[~pairs.same])
        if best is None or area > best[0]:
            best = area, scores
    assert best is not None
    return Method(best[1], threshold_of(best[1](pairs.first, pairs.second), pairs))


def tuned(method: Method, split: Split) -> Method:
    """With the threshold of the best F1 among validation patients' published pairs."""
    pairs = published_pairs(split.one_frame, split.validation, split.seed)
    return replace(method, threshold=threshold_of(method.scores(pairs.first, pairs.second), pairs))


def threshold_of(said: NDArray[np.float64], pairs: Pairs) -> float:
    """From which on scores count as the same view for the best F1."""
    options: Sequence[float] = np.quantile(said, np.linspace(0.02, 0.98, 49)).tolist()
    return max(options, key=lambda each: _f1(said > each, pairs.same))


def _f1(said: NDArray[np.bool_], same: NDArray[np.bool_]) -> float:
    return 2 * float((said & same).sum()) / max(1.0, float(said.sum() + same.sum()))
