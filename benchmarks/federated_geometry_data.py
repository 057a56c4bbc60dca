"""Pairs of frames and hearts at the phantom's hospitals, each with its own machines and patients.

Every patient has one machine and is in one fold. What is learnt from and judged has both apical views of both ends of
the beat; of a patient who calibrates there is one pair, or one heart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from deploy.phantom.acquisition import draw
from deploy.phantom.orders import choose
from deploy.phantom.seeds import seed_of, share_of
from shared_models.phantom.hospitals import HOSPITALS
from shared_models.phantom.patients import Patient
from shared_models.reconstruction.shape_examples import MOMENTS, Example, ShapePlan, shape_example
from shared_models.registration.pairs import Pair, image_pair
from shared_models.registration.registration_training import ImagePairs, both_ways

SITES = ("agate", "beryl", "citrine")
VIEWS = ("A4C", "A2C")
TRAIN, CALIBRATION, TEST = "train", "calibration", "test"


@dataclass(frozen=True)
class Counts:
    """How many patients of a hospital serve for what."""

    train: int
    calibration: int
    test: int

    def folds(self) -> dict[str, range]:
        """Numbers of patients by fold, none in two."""
        first, found = 0, {}
        for fold, count in ((TRAIN, self.train), (CALIBRATION, self.calibration), (TEST, self.test)):
            found[fold] = range(first, first + count)
            first += count
        return found


@dataclass(frozen=True)
class Of:
    """Something of a patient of a hospital.

    Attributes:
        site: of whose patient.
        patient: name, which tells the hospital and the seed.
        machine: that looked.
    """

    site: str
    patient: str
    machine: str


@dataclass(frozen=True)
class Beat(Of):
    """End-systole, which moves, and end-diastole, which is fixed, in one view."""

    pair: Pair


@dataclass(frozen=True)
class Heart(Of):
    """A heart at one moment in both views."""

    example: Example


@dataclass(frozen=True)
class _Drawn:
    patient: Patient
    machine: str
    name: str
    seed: int


def _drawn(site: str, number: int, seed: int) -> _Drawn:
    words, hospital = ("federated geometry", site, number), HOSPITALS[site]
    population = choose(hospital.populations, share_of(seed, *words, "population"))
    return _Drawn(
        draw(seed_of(seed, *words, "patient"), population),
        choose(hospital.machines, share_of(seed, *words, "machine")),
        f"{site}-{seed}-{number:03d}",
        seed_of(seed, *words, "acquisition"),
    )


@lru_cache(maxsize=12)
def beats(site: str, fold: str, seed: int, counts: Counts, side: int) -> tuple[Beat, ...]:
    """Pairs of (side, side) pixels."""
    found = []
    for number in counts.folds()[fold]:
        one = _drawn(site, number, seed)
        for view in VIEWS if fold != CALIBRATION else (VIEWS[number % len(VIEWS)],):
            pair = image_pair(one.patient, view, one.machine, seed=one.seed, size=(side, side))
            found.append(Beat(site, one.name, one.machine, pair))
    return tuple(found)


@lru_cache(maxsize=12)
def hearts(site: str, fold: str, seed: int, counts: Counts, edge: int) -> tuple[Heart, ...]:
    """Walls of hearts in cubes of so many voxels a side, with both views as the patient's machine shows them."""
    found = []
    for number in counts.folds()[fold]:
        one = _drawn(site, number, seed)
        plan = ShapePlan(edge, VIEWS, pictures="ultrasound", machine=one.machine)
        moments = tuple(MOMENTS) if fold != CALIBRATION else (tuple(MOMENTS)[number % len(MOMENTS)],)
        found += [Heart(site, one.name, one.machine, shape_example(one.patient, moment, plan)) for moment in moments]
    return tuple(found)


def image_pairs(given: tuple[Beat, ...]) -> ImagePairs:
    """Pairs to learn from, both ways."""
    images = [image for each in given for image in (each.pair.moving, each.pair.fixed)]
    return ImagePairs(np.stack(images), both_ways([(2 * row, 2 * row + 1) for row in range(len(given))]))
