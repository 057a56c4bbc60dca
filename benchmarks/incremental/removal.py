"""What displayed contributions are worth: each site is really left out, and everything learnt again without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.incremental.contestant import Answered, Contestant, Site, Start
from benchmarks.incremental.contestants import CLOSED_FORM, CONTESTANTS, GATED
from benchmarks.incremental.kept import write_arrays
from benchmarks.incremental.suite import Suite, for_training
from federated.statistics import Array

REMOVED = (CLOSED_FORM, "closed form (refit)", GATED, "gated fusion, cross heads in closed form")


@dataclass(frozen=True)
class Removals:
    """Of n held-back images of the K sites that arrive, after all have.

    Attributes:
        order: (K,) names.
        patients: (n,) with their sites.
        displayed: (n, K) contribution to the answered label.
        effect: (n, K) probability of that label learnt without the site, minus with it.
    """

    order: NDArray[np.str_]
    patients: NDArray[np.str_]
    displayed: Array
    effect: Array


def removals(name: str, suite: Suite, start: Start) -> Removals:
    """One contestant, which learns K + 1 times."""
    sites = suite.arriving(0)
    with_all = _asked(_taught(name, start, sites), sites)
    rows = np.arange(len(with_all.patients))
    effects = [
        _asked(_taught(name, start, [other for other in sites if other is not site]), sites).of(with_all.answers)
        - with_all.probabilities[rows, with_all.columns]
        for site in sites
    ]
    return Removals(
        np.array([site.name for site in sites]),
        np.array(with_all.patients),
        with_all.contributions[rows, :, with_all.columns],
        np.stack(effects, axis=1),
    )


def write_removals(path: Path, found: Removals) -> None:
    """All of them, whole or not at all."""
    write_arrays(path, {part.name: getattr(found, part.name) for part in fields(found)})


def read_removals(path: Path) -> Removals:
    """What `write_removals` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return Removals(**dict(file))


@dataclass(frozen=True)
class _Asked:
    """Answers to the test images of all sites: probabilities (n, C) and contributions (n, T, C) by label."""

    labels: tuple[str, ...]
    patients: list[str]
    columns: NDArray[np.int64]
    probabilities: Array
    contributions: Array

    @property
    def answers(self) -> list[str]:
        return [self.labels[column] for column in self.columns]

    def of(self, answers: Sequence[str]) -> Array:
        """(n,) probabilities of these labels; 0 of one that nobody teaches."""
        return np.array(
            [
                self.probabilities[row, self.labels.index(label)] if label in self.labels else 0.0
                for row, label in enumerate(answers)
            ]
        )


def _taught(name: str, start: Start, sites: Sequence[Site]) -> Contestant:
    contestant = CONTESTANTS[name](start)
    for site in sites:
        contestant.arrive(for_training(site))
    return contestant


def _asked(contestant: Contestant, sites: Sequence[Site]) -> _Asked:
    parts = [contestant.answer(site.folds["test"], site.name) for site in sites]
    patients = [f"{site.name} {patient}" for site in sites for patient in site.folds["test"].local.patients]
    contributions = [part.contributions for part in parts if part.contributions is not None]
    return _Asked(
        parts[0].labels,
        patients,
        np.concatenate([_columns(part) for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate(contributions),
    )


def _columns(answered: Answered) -> NDArray[np.int64]:
    return np.asarray(answered.scores.argmax(axis=1) if answered.best is None else answered.best)
