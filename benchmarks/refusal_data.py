"""Images that some sites know, and images that they should refuse: digits, the phantom's views, and real lungs.

A problem is what one seed draws: whose patients serve for what, which labels each site teaches, and the label that
nobody teaches. Sites of digits are real and look at different classes by computation; hospitals of the phantom are
simulated; sources of lungs are real with the labels that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.incremental.digits import LABELS as DIGITS
from benchmarks.incremental.digits import mnist, optdigits
from benchmarks.lung_data import LABELS as LUNG_LABELS
from benchmarks.lung_data import STRANGE_PROBE, load_images
from benchmarks.partial_images import SIDE, VIEWS, hospitals
from benchmarks.real_data import BREAST
from deploy.phantom.seeds import seed_of
from federated.statistics import Array
from shared_models.front_ends import SIDE as FRONT_END_SIDE
from shared_models.front_ends import RandomLift, create_front_end, gradients, tiny
from shared_models.scaling import Gray, resized, unit

TRAINED, CHECKED, COUNTED, TESTED = range(4)
DIGIT_SHARES = (0.4, 0.08, 0.12, 0.4)
PHANTOM_SHARES = (0.3, 0.12, 0.4, 0.18)  # a p-value of 5 % takes 19 patients
LUNG_SHARES = (0.4, 0.1, 0.35, 0.15)
TAUGHT = {"digits": 6, "phantom": 3}  # labels a site
PHANTOM_PATIENTS = 54  # a hospital
LIFTED, LIFT_SEED = 300, 1993
STRANGERS = 120  # images of nothing of the kind
LEGS, FRAMES = 10, 4

Names = NDArray[np.str_]


@dataclass(frozen=True)
class Images:
    """n images: (n, M) features, the constant 1 last, and site, patient and label of each."""

    features: Array
    sites: Names
    patients: Names
    labels: Names


@dataclass(frozen=True)
class Problem:
    """What one seed draws.

    Attributes:
        images: of all sites, labels that a site does not teach among them.
        folds: (n,) whether an image is `TRAINED` on, `CHECKED`, `COUNTED` for calibration or `TESTED`, by patient.
        taught: the labels of each site.
        unknown: the label that no site teaches.
        strangers: name -> (m, M) images of nothing of the kind.
    """

    images: Images
    folds: NDArray[np.int64]
    taught: Mapping[str, tuple[str, ...]]
    unknown: str
    strangers: Mapping[str, Array]

    def rows(self, site: str, fold: int, labels: Sequence[str]) -> NDArray[np.int64]:
        """Which images of a site and fold have one of these labels."""
        chosen = (self.images.sites == site) & (self.folds == fold) & np.isin(self.images.labels, list(labels))
        return np.flatnonzero(chosen)


def digits_in_pixels(seed: int, *, quick: bool) -> Problem:
    """Real digits of two countries through the front end `pixels`, as in the pilots."""
    return _digits(seed, "pixels", 60 if quick else None)


def digits_in_gradients(seed: int, *, quick: bool) -> Problem:
    """The same digits as gradients and pixels with a random lift."""
    return _digits(seed, "gradients", 60 if quick else None)


def phantom(seed: int, *, quick: bool) -> Problem:
    """Four simulated hospitals with machines of their own; each labels three of five views of its patients."""
    found = hospitals(10 if quick else PHANTOM_PATIENTS, seed=seed)
    patients = np.array([f"{site} {number}" for site, number in zip(found.sites, found.patients, strict=True)])
    images = Images(found.features, found.sites, patients, found.views)
    random = np.random.default_rng([seed, 1])
    unknown = VIEWS[seed % len(VIEWS)]
    taught = drawn_labels(
        np.unique(found.sites), [view for view in VIEWS if view != unknown], TAUGHT["phantom"], random
    )
    strangers = {"thigh": _thighs(seed, 2 if quick else LEGS)}
    if not quick:
        strangers |= {"real lung": _lungs(random), "real breast": _breasts()}
    return Problem(images, folds_of(images, PHANTOM_SHARES, random), taught, unknown, strangers)


def lung(seed: int, *, quick: bool) -> Problem:  # noqa: ARG001
    """Four real sources and the labels they have, less one; the features are there or are computed.

    Raises:
        DataError: the data are not there.
    """
    found = load_images()
    shots = [shot for shot in found.shots if shot.probe != STRANGE_PROBE]
    sites, patients, labels = (
        np.array([getattr(shot, name) for shot in shots]) for name in ("site", "patient", "label")
    )
    images = Images(found.features[[shot.row for shot in shots]], sites, patients, labels)
    folds = folds_of(images, LUNG_SHARES, np.random.default_rng([seed, 1]))
    unknown = LUNG_LABELS[seed % len(LUNG_LABELS)]
    folds[(labels == unknown) & ~np.isin(patients, patients[folds == TRAINED])] = TESTED
    trained = {site: np.unique(labels[(folds == TRAINED) & (sites == site)]) for site in np.unique(sites).tolist()}
    taught = {site: tuple(held[held != unknown].tolist()) for site, held in trained.items() if set(held) - {unknown}}
    return Problem(images, folds, taught, unknown, {"real breast": _breasts()})


PROBLEMS: Mapping[str, Callable[..., Problem]] = {
    "digits, pixels": digits_in_pixels,
    "digits, gradients": digits_in_gradients,
    "phantom": phantom,
    "lung": lung,
}


def drawn_labels(
    sites: Sequence[str] | Names, labels: Sequence[str], each: int, random: np.random.Generator
) -> dict[str, tuple[str, ...]]:
    """So many labels for each site, together all of them."""
    while True:
        drawn = {str(site): tuple(sorted(random.permutation(labels)[:each].tolist())) for site in sites}
        if len({label for held in drawn.values() for label in held}) == len(labels):
            return drawn


def folds_of(images: Images, shares: Sequence[float], random: np.random.Generator) -> NDArray[np.int64]:
    """(n,) folds in these shares of each site's patients, who are never divided."""
    folds = np.zeros(len(images.sites), dtype=np.int64)
    for site in np.unique(images.sites):
        patients = random.permutation(np.unique(images.patients[images.sites == site]))
        places = (np.arange(len(patients)) + 0.5) / len(patients)
        fold = dict(zip(patients, np.searchsorted(np.cumsum(shares[:-1]), places), strict=True))
        here = np.flatnonzero(images.sites == site)
        folds[here] = [fold[patient] for patient in images.patients[here]]
    return folds


def _digits(seed: int, look: str, most: int | None) -> Problem:
    random = np.random.default_rng([seed, 1])
    images = _digit_images(look, most)
    unknown = DIGITS[seed % len(DIGITS)]
    known = [label for label in DIGITS if label != unknown]
    taught = drawn_labels(np.unique(images.sites), known, TAUGHT["digits"], random)
    folds = folds_of(images, DIGIT_SHARES, random)
    return Problem(images, folds, taught, unknown, {"photograph": _photographs(look)})


@cache
def _digit_images(look: str, most: int | None) -> Images:
    """All of them, or at most so many of each label of each site. Nobody says who wrote which: each is a patient."""
    front_end, lift = _front_end(look)
    names, features, labels = [], [], []
    for site, load in (("optdigits", optdigits), ("mnist", mnist)):
        images, truth = load()
        rows = np.concatenate([np.flatnonzero(truth == label)[:most] for label in DIGITS])
        names += [site] * len(rows)
        features += [lift(front_end(images[row])) for row in rows]
        labels.append(truth[rows])
    return Images(np.stack(features), np.array(names), np.arange(len(names)).astype(str), np.concatenate(labels))


def _front_end(look: str) -> tuple[Callable[[Gray], Array], Callable[[Array], Array]]:
    """What looks at an image, and what becomes of that."""
    if look == "pixels":
        return create_front_end("pixels"), lambda features: features
    size = len(gradients_and_pixels(np.eye(8, dtype=np.uint8)))
    lift = RandomLift(size, LIFTED, LIFT_SEED)
    return gradients_and_pixels, lambda features: np.append(lift(features), 1.0)


def gradients_and_pixels(image: Gray) -> Array:
    """Histograms of oriented gradients and grey levels at 8 x 8, each and together of unit length."""
    return unit(np.concatenate([gradients(resized(image, FRONT_END_SIDE)), tiny(image)]))


@cache
def _photographs(look: str) -> Array:
    """Squares cut out of scikit-learn's two photographs."""
    from sklearn.datasets import load_sample_images

    front_end, lift = _front_end(look)
    random = np.random.default_rng(0)
    cuts = [_cut(photograph.mean(axis=2).astype(np.uint8), random) for photograph in load_sample_images().images]
    return np.stack([lift(front_end(cut)) for half in cuts for cut in half])


def _cut(photograph: Gray, random: np.random.Generator, side: int = 24) -> list[Gray]:
    height, width = photograph.shape
    corners = zip(
        random.integers(0, height - side, STRANGERS // 2), random.integers(0, width - side, STRANGERS // 2), strict=True
    )
    return [np.ascontiguousarray(photograph[top : top + side, left : left + side]) for top, left in corners]


def _thighs(seed: int, legs: int) -> Array:
    """The phantom's muscle, by the machine that looks at muscle."""
    from shared_models.phantom.muscle import draw_muscle_patient, sweep

    front_end = create_front_end("texture")
    found = []
    for number in range(legs):
        patient = draw_muscle_patient(seed_of(seed, "refusal", number))
        clip = sweep(patient, "l", "T1", frames=FRAMES, seed=seed_of(seed, "sweep", number), size=(SIDE, SIDE))
        found += [front_end(image) for image in clip.images]
    return np.stack(found)


def _lungs(random: np.random.Generator) -> Array:
    features = load_images().features
    return features[random.permutation(len(features))[:STRANGERS]]


@cache
def _breasts() -> Array:
    """Real images of breasts.

    Raises:
        DataError: the data are not there.
    """
    from site_agent.sources.images import decode_still, luma
    from site_agent.sources.index import parse_columns, read_index

    rows = read_index(BREAST, parse_columns("patient=split_group"))
    front_end = create_front_end("texture")
    return np.stack([front_end(luma(decode_still(row.path))) for row in rows[:: max(len(rows) // STRANGERS, 1)]])
