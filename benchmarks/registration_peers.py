"""Everyone in the contest of registration, and how each is brought to its best on pairs that are not asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.registration_classical import demons, syn
from benchmarks.registration_learned import LEARNED
from benchmarks.registration_learning import Choice, Course, field_of, learnt
from benchmarks.registration_ours import (
    FORCES,
    FORCES_CHOICES,
    HALF_FORCES,
    HALF_PATCH,
    LONGER,
    OURS,
    PATCH,
    PATCH_CHOICES,
    SMOOTH_FORCES,
    by_demons,
    by_half_patch,
    by_patch,
)
from benchmarks.registration_problems import Problem, Setting
from benchmarks.registration_scores import Floats, correlation, dice, moved, moved_labels
from benchmarks.registration_starts import Started
from shared_models.registration.demons import Demons as Forces

Field = Callable[[Floats, Floats], Floats]
Settings = Mapping[str, Any]

WORST = -1.0
IDENTITY, AFFINE = "nothing", "affine"
SYN_PLAIN, SYN = "ANTs SyN, as it comes", "ANTs SyN"
DEMONS, FAST = "SimpleITK diffeomorphic demons", "SimpleITK fast symmetric demons"
RATES, WEIGHTS = (3e-4, 1e-3, 3e-3), (0.05, 0.02, 0.2)
DEMONS_CHOICES = [
    {"iterations": 60, "sigma": sigma, "scales": scales} for sigma, scales in product((1, 1.5, 2), (1, 3))
]


@dataclass(frozen=True)
class Solver:
    """A method that is ready to be asked.

    Attributes:
        field: moving and fixed image to a field in voxels.
        network: if it is one.
        seconds: of a processor that learning took.
    """

    field: Field
    network: torch.nn.Module | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Classical:
    """A method that learns nothing.

    Attributes:
        field: moving, fixed and settings to a field.
        choices: settings to choose from.
    """

    field: Callable[..., Floats]
    choices: Sequence[Settings] = ({},)


CLASSICAL: dict[str, Classical] = {
    SYN_PLAIN: Classical(syn),
    SYN: Classical(
        syn,
        (
            {"iterations": (80, 40, 20)},
            {"metric": "meansquares", "iterations": (80, 40, 20)},
            {"metric": "CC", "sampling": 2, "iterations": (40, 20, 10)},
        ),
    ),
    DEMONS: Classical(demons, DEMONS_CHOICES),
    PATCH: Classical(by_patch, PATCH_CHOICES),
    HALF_PATCH: Classical(by_half_patch, PATCH_CHOICES),
    FORCES: Classical(by_demons, FORCES_CHOICES),
    SMOOTH_FORCES: Classical(partial(by_demons, how=Forces(diffeomorphic=True)), FORCES_CHOICES),
    HALF_FORCES: Classical(partial(by_demons, how=Forces(finest=2)), FORCES_CHOICES),
    FAST: Classical(demons, [{"kind": "fast symmetric", **choice} for choice in DEMONS_CHOICES]),
}
NETWORKS: dict[str, Callable[[int], torch.nn.Module]] = {**LEARNED, **OURS}
CHOICES = [Choice(rate, weight, changed) for changed, rate, weight in product((False, True), RATES, WEIGHTS)]


def still(moving: Floats, fixed: Floats) -> Floats:  # noqa: ARG001
    """No movement beyond the start."""
    return np.zeros((moving.ndim, *moving.shape), np.float32)


def first_tries(name: str) -> list[int]:
    """Numbers of settings to try: all of a method that learns nothing; every rate of a network, at the first weight."""
    if name in CLASSICAL:
        return list(range(len(CLASSICAL[name].choices)))
    return [number for number, choice in enumerate(CHOICES) if choice.weight == WEIGHTS[0] and not choice.changed]


def further_tries(name: str, best: int) -> list[int]:
    """Those to try then, at the best of the first: every weight of a network at its rate."""
    if name in CLASSICAL:
        return []
    own = replace(CHOICES[best], weight=0)
    return [number for number, choice in enumerate(CHOICES) if replace(choice, weight=0) == own and number != best]


def last_tries(name: str, best: int) -> list[int]:
    """Those to try at full length, of a network: the best so far, and the same with pairs changed at random.

    What that is good for, that no pair is learnt by heart, shows in a long course only.
    """
    if name in CLASSICAL:
        return []
    return [CHOICES.index(replace(CHOICES[best], changed=changed)) for changed in (False, True)]


def ready(name: str, choice: int, given: Problem, course: Course, folder: Path | None = None) -> Solver:
    """A method with a choice of its settings, by number; a network has learnt, some for several times the steps.

    A course that has a folder is kept there, and whoever wants it again finds it.
    """
    if name in CLASSICAL:
        method = CLASSICAL[name]
        return Solver(lambda moving, fixed: method.field(moving, fixed, **method.choices[choice]))
    network = fresh(name, given.learnt[0].fixed.ndim, course.seed)
    course = replace(course, steps=course.steps * LONGER.get(name, 1))
    took = learnt(network, given.learnt, given.similarity, CHOICES[choice], course, folder)
    return Solver(lambda moving, fixed: field_of(network, moving, fixed), network, took)


def fresh(name: str, dimensions: int, seed: int) -> torch.nn.Module:
    """A network with the first weights of a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[name](dimensions)


def checked(name: str, choice: int, given: Problem, setting: Setting, steps: int, folder: Path | None = None) -> float:
    """How good a choice is on the pairs for it: mean Dice, or the mean correlation where there are no labels.

    Where nothing can be learnt, the first of the pairs that are asked serve; a network that goes astray is the worst.
    """
    pairs = given.checked or next(iter(given.asked.values()))
    if name in CLASSICAL:
        pairs = pairs[: setting.few]
    try:
        solver = ready(name, choice, given, Course(steps, setting.seeds[0], setting.precision), folder)
    except ValueError:  # a rate at which learning goes astray
        return WORST
    return float(np.mean([agreement(one, solver.field(one.moving, one.fixed), given.labels) for one in pairs]))


def agreement(one: Started, field: Floats, labels: Sequence[int]) -> float:
    """Of one pair."""
    pair, whole = one.pair, one.whole(field)
    if not labels or pair.moving_labels is None or pair.fixed_labels is None:
        return correlation(moved(pair.moving, whole), pair.fixed)
    return float(np.nanmean(dice(moved_labels(pair.moving_labels, whole, labels), pair.fixed_labels, labels)))
