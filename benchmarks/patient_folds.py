"""How features are compared: a class-balanced ridge on folds that keep patients whole, answered clip by clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from site_agent.sources.images import decode_still, luma
from site_agent.sources.index import parse_columns, read_index

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

OUTER_FOLDS, INNER_FOLDS = 5, 4
RIDGES = 10.0 ** np.arange(-6, 1.01, 0.5)  # shares of the trace
RESAMPLES = 2000


@dataclass(frozen=True)
class ImageSet:
    """Images with numbers for what the index says of each: label, patient, clip, site."""

    images: list[NDArray[np.uint8]]
    label: Numbers
    patient: Numbers
    clip: Numbers
    site: Numbers

    @cached_property
    def first_of_clip(self) -> Numbers:
        """Of every clip one image."""
        return np.unique(self.clip, return_index=True)[1]

    @cached_property
    def clip_label(self) -> Numbers:
        """Label of every clip."""
        return self.label[self.first_of_clip]

    @cached_property
    def clip_site(self) -> Numbers:
        """Site of every clip."""
        return self.site[self.first_of_clip]

    @property
    def classes(self) -> int:
        """Number of labels."""
        return int(self.label.max()) + 1

    def clip_means(self, scores: Array) -> Array:
        """(n, C) scores of images to the means of their clips."""
        sums = np.zeros((self.first_of_clip.size, scores.shape[1]))
        np.add.at(sums, self.clip, scores)
        return sums / np.bincount(self.clip)[:, None]


def load(folder: Path, columns: str) -> ImageSet:
    """Every still that the index of a folder lists."""
    rows = read_index(folder, parse_columns(columns))
    images = [luma(decode_still(row.path)) for row in rows]
    said = [[row.label, row.patient, row.clip or row.name, row.site] for row in rows]
    return ImageSet(images, *(np.unique(column, return_inverse=True)[1] for column in np.array(said).T))


def balanced_weights(data: ImageSet, rows: Numbers) -> Array:
    """Every label weighs the same, and within it every patient."""
    pairs = np.stack([data.label[rows], data.patient[rows]])
    _, pair, images = np.unique(pairs, axis=1, return_inverse=True, return_counts=True)
    weights = 1.0 / images[pair]
    sums = np.bincount(data.label[rows], weights, minlength=data.classes)
    return weights / sums[data.label[rows]] / np.count_nonzero(sums)


def folds(data: ImageSet, rows: Numbers, number: int, seed: int) -> Iterator[tuple[Numbers, Numbers]]:
    """(train, test) rows, shuffled, labels spread as evenly as whole patients allow."""
    from sklearn.model_selection import StratifiedGroupKFold

    split = StratifiedGroupKFold(number, shuffle=True, random_state=seed)
    for train, test in split.split(rows, data.label[rows], data.patient[rows]):
        yield rows[train], rows[test]


def ridge_scores(gram: Array, data: ImageSet, train: Numbers, test: Numbers) -> list[Array]:
    """Scores of the test rows for every ridge, from inner products of all images: K = H Hᵀ, in its dual form."""
    root = np.sqrt(balanced_weights(data, train))
    targets = np.eye(data.classes)[data.label[train]]
    values, vectors = np.linalg.eigh(gram[np.ix_(train, train)] * np.outer(root, root))
    values = np.maximum(values, 0.0)
    left = (gram[np.ix_(test, train)] * root) @ vectors
    right = vectors.T @ (root[:, None] * targets)
    return [left @ (right / (values + ridge * values.sum())[:, None]) for ridge in RIDGES]


def fitted_scores(gram: Array, data: ImageSet, train: Numbers, test: Numbers, seed: int) -> Array:
    """Scores of the test rows with the ridge that has the least squared error on folds of the training patients."""
    errors = np.zeros(RIDGES.size)
    for inner, held in folds(data, train, INNER_FOLDS, seed):
        weights, truth = balanced_weights(data, held), np.eye(data.classes)[data.label[held]]
        scores = ridge_scores(gram, data, inner, held)
        errors += [weights @ ((score - truth) ** 2).sum(axis=1) for score in scores]
    return ridge_scores(gram, data, train, test)[int(errors.argmin())]


def cross_validated(features: Array, data: ImageSet, seed: int) -> Array:
    """(clips, C) scores, every clip answered by a ridge that saw nothing of its patient."""
    gram = features @ features.T
    scores = np.zeros((features.shape[0], data.classes))
    for train, test in folds(data, np.arange(features.shape[0]), OUTER_FOLDS, seed):
        scores[test] = fitted_scores(gram, data, train, test, seed)
    return data.clip_means(scores)


def left_out_sites(features: Array, data: ImageSet, seed: int) -> float:
    """Share of clips answered rightly when their whole site is left out; labels that no other site has do not count."""
    gram = features @ features.T
    right, asked = 0, 0
    for site in np.unique(data.site):
        train, test = np.flatnonzero(data.site != site), np.flatnonzero(data.site == site)
        scores = np.zeros((features.shape[0], data.classes))
        scores[test] = fitted_scores(gram, data, train, test, seed)
        counted = (data.clip_site == site) & np.isin(data.clip_label, data.label[train])
        right += int((data.clip_means(scores).argmax(axis=1) == data.clip_label)[counted].sum())
        asked += int(counted.sum())
    return right / asked


def correct(scores: Array, data: ImageSet) -> Array:
    """(clips,) 1 where the answer is right."""
    return (scores.argmax(axis=1) == data.clip_label).astype(np.float64)


def balanced_accuracy(scores: Array, data: ImageSet) -> float:
    """Mean over labels of the share of their clips answered rightly."""
    return float(np.mean([correct(scores, data)[data.clip_label == label].mean() for label in np.unique(data.label)]))


def within_sites(scores: Array, data: ImageSet) -> float:
    """How well two labels of one site are told apart (area under the curve), which no trait of the site can help.

    Mean over all pairs of labels within a site, weighted by the root of the number of pairs of clips.
    """
    areas, weights = [], []
    for site in np.unique(data.site):
        for one, other in combinations(np.unique(data.clip_label[data.clip_site == site]), 2):
            margin = scores[:, one] - scores[:, other]
            first, second = (margin[(data.clip_site == site) & (data.clip_label == label)] for label in (one, other))
            areas.append((np.sign(first[:, None] - second[None]) + 1).mean() / 2)
            weights.append(np.sqrt(first.size * second.size))
    return float(np.average(areas, weights=weights))


def paired_interval(one: Array, other: Array, data: ImageSet, seed: int = 0) -> tuple[float, float, float]:
    """Mean difference of two (clips,) figures with its 95 % interval, patients drawn with replacement."""
    patient = data.patient[data.first_of_clip]
    difference, clips = np.bincount(patient, one - other), np.bincount(patient)
    drawn = np.random.default_rng(seed).integers(0, clips.size, (RESAMPLES, clips.size))
    means = difference[drawn].sum(axis=1) / clips[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float((one - other).mean()), float(low), float(high)
