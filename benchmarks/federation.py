"""A simulated federation, for time and size only: 20 sites, 20 labels of which each site holds 8."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federated.statistics import Array, Statistics, from_features

SITES, LABELS, LABELS_A_SITE = 20, 20, 8
SEED = 1993


@dataclass(frozen=True)
class Site:
    """One simulated site: (n, M) features and n label indices."""

    features: Array
    labels: NDArray[np.int64]

    def statistics(self) -> Statistics:
        """Its sufficient statistics, over the labels it holds."""
        names = [order()[label] for label in self.labels]
        return from_features(self.features, names, np.ones(len(names)), tuple(sorted(set(names))))


def order() -> tuple[str, ...]:
    """All labels."""
    return tuple(f"label{number:02d}" for number in range(LABELS))


def simulate(images: int, features: int, *, seed: int = SEED) -> list[Site]:
    """Sites whose images scatter around one centre a label, with an offset a site; the last feature is 1."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(LABELS, features))
    return [_site(rng, centres, images) for _ in range(SITES)]


def _site(rng: np.random.Generator, centres: Array, images: int) -> Site:
    features = centres.shape[1]
    labels = rng.choice(rng.choice(LABELS, LABELS_A_SITE, replace=False), images)
    rows = centres[labels] + rng.normal(size=(images, features)) + 0.3 * rng.normal(size=features)
    rows[:, -1] = 1.0
    return Site(rows, labels)


def seconds(action: Callable[[], object], repeats: int) -> float:
    """Wall time of the fastest of some runs: what the work takes where nothing else disturbs it."""
    return fastest([action], repeats)[0]


def fastest(actions: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """The same for each of several actions, run in turns so that a disturbance meets all of them."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(repeats):
        for action, taken in zip(actions, times, strict=True):
            start = time.perf_counter()
            action()
            taken.append(time.perf_counter() - start)
    return [min(taken) for taken in times]
