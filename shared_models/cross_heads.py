"""Cross heads in closed form: one ridge regression for each expert instead of a training.

u_jk = W_jk h_k + b_jk must be comparable with the logits u_jj of expert j, beside which the pooler holds it. So the
target of an image is what expert j says on average of labels it has: with hit_j the mean logit of the right label and
miss_j that of the wrong ones, over images whose label is in Y_j,

    t_c = hit_j for the label c of the image, miss_j for every other c in Y_j,

which is one-hot regression brought to expert j's units; images of other labels are misses of every column. Minimised is
sum_i w_i |t_i - W h_i - b|^2 + lambda |W|^2, with the lambda of least error on validation images. Shrinkage is left as
it is: an expert that cannot tell a label from its features then says the same of every image, near miss_j.

All that is needed of the features are one Gram matrix and sums by label for each expert, which add up over sites.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.consultation import Consultation, Lesson

Array = NDArray[np.float64]

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # lambda, as shares of the mean variance of a feature
RIDGE = 1e-2  # where there is nothing to choose it by
TINY = 1e-300  # of features that are the same in every image, which then say nothing


@dataclass(frozen=True)
class Moments:
    """Of one expert's features, a constant 1 being the last: Gram matrix (D + 1, D + 1), sums by label (D + 1, G)."""

    gram: Array
    sums: Array

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.gram + other.gram, self.sums + other.sums)


def moments(lesson: Lesson, expert: int) -> Moments:
    """Of the images that an expert saw, by merged label."""
    chosen = lesson.consulted.present[:, expert]
    features = lesson.consulted.features[chosen, expert].astype(np.float64)
    features = np.column_stack([features, np.ones(len(features))])
    weighted = lesson.weights[chosen, None] * features
    labels = lesson.answers[chosen, None] == np.arange(len(lesson.consulted.merged))
    return Moments(features.T @ weighted, weighted.T @ labels.astype(np.float64))


def closed_form_heads(lesson: Lesson, validation: Lesson | None) -> dict[str, Array]:
    """``heads.{k}.weight`` (S - C_k, D) and ``heads.{k}.bias`` of every expert, as `gate_network` names them."""
    consulted = lesson.consulted
    experts = range(len(consulted.labels))
    units = logit_units(lesson)
    state: dict[str, Array] = {}
    for expert in experts if len(experts) > 1 else ():
        held_back = None if validation is None else moments(validation, expert)
        maps = one_hot_ridge(moments(lesson, expert), held_back)
        others = [label_set for label_set in experts if label_set != expert]
        cross = [_in_units(maps[:, _numbers(consulted, other)], *units[other]) for other in others]
        heads = np.concatenate(cross, axis=1)
        state |= {f"heads.{expert}.weight": heads[:-1].T, f"heads.{expert}.bias": heads[-1]}
    return state


def logit_units(lesson: Lesson) -> list[tuple[float, float]]:
    """(hit_j, miss_j) of every expert; one of a single label misses by as much as the others do on average."""
    pairs = [_hit_and_miss(lesson, expert) for expert in range(len(lesson.consulted.labels))]
    gaps = [hit - miss for hit, miss in pairs if np.isfinite(miss)]
    gap = float(np.mean(gaps)) if gaps else 1.0
    return [(hit, miss if np.isfinite(miss) else hit - gap) for hit, miss in pairs]


def one_hot_ridge(found: Moments, held_back: Moments | None) -> Array:
    """(D + 1, G) maps from features to merged labels, the row of the constant last and not penalised.

    Raises:
        ValueError: moments of no image.
    """
    if not found.gram[-1, -1]:
        raise ValueError("an expert saw none of the images that its cross heads are to be learnt from")
    total, mean = found.gram[-1, -1], found.gram[-1, :-1] / found.gram[-1, -1]
    share = found.sums[-1] / total
    values, vectors = np.linalg.eigh(found.gram[:-1, :-1] / total - np.outer(mean, mean))
    rotated = vectors.T @ (found.sums[:-1] / total - np.outer(mean, share))

    def solution(ridge: float) -> Array:
        slopes = vectors @ (rotated / (np.maximum(values, 0.0) + max(ridge * values.mean(), TINY))[:, None])
        return np.vstack([slopes, share - mean @ slopes])

    if held_back is None or not held_back.gram[-1, -1]:
        return solution(RIDGE)
    return min((solution(ridge) for ridge in RIDGES), key=lambda maps: _error(maps, held_back))


def _error(maps: Array, moments: Moments) -> float:
    """Sum of squared errors, less what no map changes."""
    return float(np.sum(maps * (moments.gram @ maps)) - 2 * np.sum(maps * moments.sums))


def _hit_and_miss(lesson: Lesson, expert: int) -> tuple[float, float]:
    """Mean logit of right and of wrong labels; nan for a miss where there is none, and for a hit, 0."""
    numbers = _numbers(lesson.consulted, expert)
    rows = lesson.consulted.present[:, expert] & np.isin(lesson.answers, numbers) & (lesson.weights > 0)
    right = lesson.answers[rows, None] == numbers
    logits = lesson.consulted.logits[expert][rows]
    weights = np.broadcast_to(lesson.weights[rows, None], logits.shape)
    hit = np.average(logits[right], weights=weights[right]) if right.any() else 0.0
    miss = np.average(logits[~right], weights=weights[~right]) if (~right).any() else np.nan
    return float(hit), float(miss)


def _numbers(consulted: Consultation, expert: int) -> NDArray[np.int64]:
    return np.array([consulted.merged.index(label) for label in consulted.labels[expert]])


def _in_units(maps: Array, hit: float, miss: float) -> Array:
    scaled = (hit - miss) * maps
    scaled[-1] += miss
    return scaled
