"""Scores of any rule as answers with probabilities, at the temperature that the validation patients like best."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.incremental.contestant import Answered, Fold, Site
from federated.descent import tree_of
from federated.hierarchy import descendants
from federated.release import TEMPERATURES
from federated.statistics import Array
from federated.vocabulary import Vocabulary

LEAST = -20.0  # a logarithm; a label that cannot be answered is as bad as this, at every temperature


def answered(
    vocabulary: Vocabulary,
    labels: tuple[str, ...],
    scores: Array,
    temperature: float,
    *,
    p: Array | None = None,
    weights: Array | None = None,
    contributions: Array | None = None,
    exclusive: bool = True,
) -> Answered:
    """Answers go down from label to label where these lie within each other, as those of a release do.

    `exclusive` says that the rule learnt labels as excluding each other, so that the score of one says nothing of
    images with a label below it; the largest of these then counts for it.
    """
    tree = tree_of(vocabulary, labels)
    scores = with_those_below(vocabulary, labels, scores) if exclusive else scores
    probabilities = np.exp(log_probabilities(vocabulary, labels, scores / temperature))
    return Answered(labels, scores, probabilities, p, weights, contributions, tree.best(scores))


def with_those_below(vocabulary: Vocabulary, labels: tuple[str, ...], scores: Array) -> Array:
    """(..., C) scores, of every column the largest of its own and of those of the columns below it."""
    below = [descendants(vocabulary, label) | {label} for label in labels]
    columns = [[column for column, label in enumerate(labels) if label in found] for found in below]
    return np.stack([scores[..., found].max(axis=-1) for found in columns], axis=-1)


def log_probabilities(vocabulary: Vocabulary, labels: tuple[str, ...], scores: Array) -> Array:
    """(..., C) of scores over the temperature, of which at least one a row is finite; others may be -inf."""
    return tree_of(vocabulary, labels).log_probabilities(np.maximum(scores, np.finfo(np.float64).min / 4))


def best_temperature(
    vocabulary: Vocabulary,
    labels: tuple[str, ...],
    sites: Sequence[Site],
    score: Callable[[Fold, str], Array],
    *,
    exclusive: bool = True,
) -> float:
    """The temperature with the least negative log-likelihood over the sites' validation images; 1 without any.

    `exclusive` as of `answered`.
    """
    losses = np.zeros(len(TEMPERATURES))
    for site in sites:
        fold = site.folds["validation"]
        rows = [row for row, label in enumerate(fold.local.labels) if label in labels]
        if rows:
            truth = np.array([labels.index(fold.local.labels[row]) for row in rows])
            scores = score(fold, site.name)[rows]
            scores = with_those_below(vocabulary, labels, scores) if exclusive else scores
            logs = log_probabilities(vocabulary, labels, scores / TEMPERATURES[:, None, None])[
                :, np.arange(len(rows)), truth
            ]
            losses -= np.maximum(logs, LEAST) @ fold.local.weights[rows]
    return float(TEMPERATURES[int(losses.argmin())]) if losses.any() else 1.0
