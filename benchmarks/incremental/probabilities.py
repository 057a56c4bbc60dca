"""Scores of any rule as answers with probabilities, at the temperature that the validation patients like best."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.incremental.contestant import Answered, Fold, Site
from federated.descent import tree_of
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
) -> Answered:
    """Answers go down from label to label where these lie within each other, as those of a release do."""
    tree = tree_of(vocabulary, labels)
    probabilities = np.exp(log_probabilities(vocabulary, labels, scores / temperature))
    return Answered(labels, scores, probabilities, p, weights, contributions, tree.best(scores))


def log_probabilities(vocabulary: Vocabulary, labels: tuple[str, ...], scores: Array) -> Array:
    """(..., C) of scores over the temperature, of which at least one a row is finite; others may be -inf."""
    return tree_of(vocabulary, labels).log_probabilities(np.maximum(scores, np.finfo(np.float64).min / 4))


def best_temperature(
    vocabulary: Vocabulary, labels: tuple[str, ...], sites: Sequence[Site], score: Callable[[Fold, str], Array]
) -> float:
    """The temperature with the least negative log-likelihood over the sites' validation images; 1 without any."""
    losses = np.zeros(len(TEMPERATURES))
    for site in sites:
        fold = site.folds["validation"]
        rows = [row for row, label in enumerate(fold.local.labels) if label in labels]
        if rows:
            truth = np.array([labels.index(fold.local.labels[row]) for row in rows])
            scores = score(fold, site.name)[rows] / TEMPERATURES[:, None, None]
            logs = log_probabilities(vocabulary, labels, scores)[:, np.arange(len(rows)), truth]
            losses -= np.maximum(logs, LEAST) @ fold.local.weights[rows]
    return float(TEMPERATURES[int(losses.argmin())]) if losses.any() else 1.0
