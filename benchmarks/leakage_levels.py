"""What each kind of parcel gives away at each level, one figure a row, on the images of a hospital of the lung set.

Where a filter refuses what the figure is about, the row says which; the figure is then what it would be without it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims import Row
from benchmarks.lung_data import Images
from federated.disclosure import Limits
from federated.in_distribution import QUADRATIC
from federated.statistics import Array

LIMITS = Limits()
Mask = NDArray[np.bool_]


def by_kind_and_level(images: Images, victim: str, decoded: float, membership: float) -> list[Row]:
    """The rows.

    Args:
        images: of all hospitals.
        victim: whose are attacked.
        decoded: correlation of thumbnails rebuilt from features.
        membership: area under ROC of telling training images from a linear head.
    """
    shots = [shot for shot in images.shots if shot.site == victim]
    features = images.features[[shot.row for shot in shots]]
    labels = np.array([shot.label for shot in shots])
    patients = np.array([shot.patient for shot in shots])
    label = max(sorted(set(labels)), key=lambda name: len(set(patients[labels == name])))
    mine = labels == label
    width = features.shape[1]
    share = QUADRATIC * (QUADRATIC + 1) / (width * (width + 1))
    alone, few, apart = (measure(features, patients, mine) for measure in (_alone, _few, _apart))
    held = _told_for_each(width, len(shots) / len(set(patients)))
    first = _first_step(features, labels)
    return [
        _row("statistics", 1, "one patient in a cell: distance to that patient's mean", alone, "cell"),
        _row("statistics", 1, "five patients: correlation of one's mean with the cell's", few),
        _row("statistics", 1, "two uploads, one patient apart: distance to that patient's mean", apart, "difference"),
        _row("statistics", 2, "two Gram matrices, one image apart: cosine with it", _one_image(features), "difference"),
        _row("statistics", 2, "numbers told for each in the features of the fewest patients allowed", held),
        _row("features", "", "thumbnails rebuilt: correlation", decoded),
        _row("weights", "", "training images told from others: area under ROC", membership),
        _row("update", "", "a first step of a linear head: distance to the class sums", first),
        _row("report", "", "second moments of a label that are in it", share),
        _row("summary", "", "fewest patients behind a count", float(LIMITS.cell), "cell"),
        _row("decision", "", "thumbnails rebuilt: correlation", decoded),
        _row("adoption, withdrawal", "", "numbers of patients or images", 0.0),
    ]


def _row(kind: str, level: int | str, what: str, figure: float, refused: str = "") -> Row:
    return {
        "table": "by kind and level",
        "kind": kind,
        "level": level,
        "what is told": what,
        "figure": figure,
        "refused by": refused,
    }


def _distance(guess: Array, truth: Array) -> float:
    """Relative to the truth."""
    return float(np.linalg.norm(guess - truth) / np.linalg.norm(truth))


def _mean_of(features: Array, patients: NDArray[np.str_], mine: Mask, name: str) -> Array:
    return np.asarray(features[mine & (patients == name)].mean(axis=0))


def _alone(features: Array, patients: NDArray[np.str_], mine: Mask) -> float:
    """A cell of one patient: the sum over its weight."""
    name = patients[mine][0]
    rows = features[mine & (patients == name)]
    return _distance(rows.sum(axis=0) / len(rows), _mean_of(features, patients, mine, name))


def _few(features: Array, patients: NDArray[np.str_], mine: Mask) -> float:
    """How much of a patient's own, beside what all images share, stands in the mean of the fewest that may leave."""
    names = sorted(set(patients[mine]))[: LIMITS.cell]
    common = features.mean(axis=0)
    means = np.stack([_mean_of(features, patients, mine, name) for name in names]) - common
    cell = means.mean(axis=0)
    return float(np.mean([np.corrcoef(mean, cell)[0, 1] for mean in means]))


def _apart(features: Array, patients: NDArray[np.str_], mine: Mask) -> float:
    """The difference of two class sums, over the difference of their weights."""
    name = patients[mine][-1]
    without = mine & (patients != name)
    difference = features[mine].sum(axis=0) - features[without].sum(axis=0)
    return _distance(difference / (mine.sum() - without.sum()), _mean_of(features, patients, mine, name))


def _one_image(features: Array) -> float:
    """The leading direction of what two Gram matrices differ by."""
    difference = features.T @ features - features[1:].T @ features[1:]
    leading = np.linalg.eigh((difference + difference.T) / 2)[1][:, -1]
    return float(abs(leading @ features[0]) / np.linalg.norm(features[0]))


def _told_for_each(width: int, images_each: float) -> float:
    """At the limit of features for each patient, with as many images of a patient as here."""
    return (width + 1) / 2 / (width / LIMITS.gram_share * images_each)


def _first_step(features: Array, labels: NDArray[np.str_]) -> float:
    """The gradient of the cross-entropy at zero weights is the class sums, less an equal share of all."""
    names = sorted(set(labels))
    truth = np.stack([(labels == name).astype(np.float64) for name in names], axis=1)
    step = features.T @ (np.full_like(truth, 1 / len(names)) - truth) / len(features)
    told = features.sum(axis=0)[:, None] / len(names) - len(features) * step
    return _distance(told, features.T @ truth)
