"""Ways of finding a view again, each learnt from the same patients and tuned on the same others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval_data import IMAGE, MIDDLE, Cohort
from federated.metrics import auroc
from shared_models.clip_changes import OURS
from shared_models.clip_encoder import clip_encoder
from shared_models.clip_windows import WINDOW, Clips, Rows, at_side, starts, still, windows
from shared_models.place_encoder import TEMPERATURE, place_encoder
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
    compared,
    comparing_head,
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
BESIDE, BATCH = 11, 8  # windows of the same sweep beside each of a batch; of how many sweeps
DENSE = {"width": 8, "dense": 256, "projected": 128, "levels": 3, "stride": 2, "cells": 6, "side": IMAGE}
PUBLISHED_SIDE = 32  # pixels along an edge, not 64
CORRELATIONS = ((0.0, 0), (1.0, 0), (0.7, 2), (1.0, 2), (2.0, 4))  # smoothing and shift that are tried


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

    def of_side(self, side: int) -> Labelled:
        """`one_frame`, each of so many pixels along an edge."""
        clips = self.one_frame
        return replace(clips, clips=at_side(clips.clips[:, 0], side)[:, None])


@dataclass(frozen=True)
class Budget:
    """Epochs of each part, so that the whole fits on one core."""

    ours: int = 3
    samples: int = 400
    published: int = 6
    head: int = 6
    supervised: int = 6
    pairs: int = 1600


@dataclass(frozen=True)
class Method:
    """One way: scores of pairs of the cohort's clips, and from which on they count as the same view."""

    scores: Scores
    threshold: float = 0.5


def neighbours(cohort: Cohort, patients: Rows) -> tuple[Clips, Rows]:
    """(n, 2, S, S) frames that lie GAP apart, of moving pictures and one of each frozen one; and the sweep of each."""
    found: list[Clips] = []
    sweeps: list[int] = []
    for number, each in enumerate(cohort.sweeps):
        if each.patient not in patients:
            continue
        moving = int((~each.frozen).sum())
        begins = [*range(0, moving - GAP, EVERY), moving]
        some = [each.images[[begin, begin + GAP]] for begin in begins if begin + GAP < len(each.images)]
        found += some
        sweeps += [number + 1] * len(some)
    return np.stack(found), np.array(sweeps, dtype=np.int64)


def visits(split: Split, patients: Rows) -> tuple[Clips, Rows]:
    """(n, 2, S, S) frames of standard views of a leg at two visits; and (n, 2) the sweeps that they are of, from 1."""
    clips = split.one_frame
    rows = across_visits(clips, patients, split.seed)
    return clips.clips[rows, 0], clips.sections[rows] + 1


def encoder_task(split: Split, patients: Rows, network: torch.nn.Module) -> ContrastiveTask:
    """Ours, of some patients: neighbours, and standard views of two visits, once beside others of either sweep."""
    near, sweeps = neighbours(split.cohort, patients)
    apart, of_both = visits(split, patients)
    return ContrastiveTask(
        network,
        np.concatenate([near, apart, apart]),
        changes=OURS,
        sweeps=np.concatenate([sweeps, -of_both[:, 0], -of_both[:, 1]]),
        beside=BESIDE,
        temperature=TEMPERATURE,
    )


def encoder_recipe(split: Split, budget: Budget) -> Recipe:
    """Half a cosine, to its end."""
    return Recipe(
        epochs=budget.ours,
        batch=BATCH,
        rate=2e-3,
        seed=split.seed,
        decay=1e-2,
        schedule="cosine",
        warm_up=0.1,
        samples_an_epoch=budget.samples,
    )


def new_encoder(seed: int) -> torch.nn.Module:
    """Ours."""
    import torch

    torch.manual_seed(seed)
    return place_encoder(side=IMAGE)


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
    import torch

    said = codes(network, split.one_frame.clips)
    torch.manual_seed(split.seed)
    reading, head = compared(said), comparing_head(said.shape[1])
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
    import torch

    torch.manual_seed(split.seed)
    network = clip_encoder(side=PUBLISHED_SIDE)
    task = ContrastiveTask(network, held_windows(split, split.train), held_windows(split, split.validation))
    recipe = Recipe(epochs=budget.published, batch=40, rate=1e-3, seed=split.seed, optimiser="adam", metric=INFO_NCE)
    train(task, replace(recipe, smallest=True), device="cpu")
    clips, count = split.of_side(PUBLISHED_SIDE), len(split.one_frame.clips)
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
            begins = starts(len(each.images))
            every = windows(each.images)
            some = every[still(every)] if len(begins) else every
            found.append(some[:, [MIDDLE, WINDOW - 1 - MIDDLE]])
    both = np.concatenate(found)
    return np.stack([at_side(both[:, half], PUBLISHED_SIDE) for half in range(2)], axis=1)


def supervised(split: Split, budget: Budget) -> Method:
    """A network taught on pairs alone, small, since it is better so, on both rules' pairs."""
    import torch

    clips = split.one_frame
    torch.manual_seed(split.seed)
    network = pair_network(clip_encoder(**DENSE), DENSE["projected"])
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
        samples_an_epoch=3 * budget.pairs // 2,
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
