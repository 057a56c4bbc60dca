"""How often a linear rule errs, told from validation statistics alone.

Of images of label c, with mean m_c and covariance S within labels, the difference between the scores of c and d has
mean m_c^T (w_c - w_d) + b_c - b_d and variance (w_c - w_d)^T S (w_c - w_d). Taken as normal, it is positive with
probability Phi(mean / sd); taken as independent over d, all are with the product of these, and else the image is
answered wrongly. No d is a label above c, of which these images are images too, or one that c says nothing of, as those
below it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.special import ndtr

from federated.errors import ContractError
from federated.fusion.linear_rule import LinearRule
from federated.fusion.targets import FLAT, Targets
from federated.statistics import Array, Statistics

TINY = 1e-12


def pairwise_error(rule: LinearRule, blocks: Iterable[Statistics], targets: Targets = FLAT) -> float:
    """Mean over the images of all blocks of the share above; labels that the rule does not know are not counted.

    Raises:
        ContractError: a block keeps its Gram matrix back.
    """
    found = [_of_block(rule, block, targets) for block in blocks]
    weight = sum(weight for _, weight in found)
    return sum(error for error, _ in found) / weight if weight else 0.0


def _of_block(rule: LinearRule, block: Statistics, targets: Targets) -> tuple[float, float]:
    """Weight of the images that are answered wrongly, and of all."""
    if block.gram is None:
        raise ContractError("its Gram matrix is not here", where="validation statistics")
    weights, bias = rule.weights, rule.bias
    within = (block.gram - block.means_gram()) / max(float(block.weights.sum()), TINY)
    spread = weights.T @ within @ weights
    scales = np.sqrt(np.maximum(_of_differences(spread), TINY))
    total, counted = 0.0, 0.0
    for column, label in enumerate(block.labels):
        weight = float(block.weights[column])
        if weight > 0 and label in rule.labels:
            own = rule.labels.index(label)
            scores = block.class_sums[:, column] / weight @ weights + bias
            others = [number for number, other in enumerate(rule.labels) if _excludes(label, other, targets)]
            total += weight * (1.0 - float(ndtr((scores[own] - scores) / scales[own])[others].prod()))
            counted += weight
    return total, counted


def _excludes(label: str, other: str, targets: Targets) -> bool:
    return label not in targets.ones_of(other) and label not in targets.silences_of(other)


def _of_differences(spread: Array) -> Array:
    """(C, C) covariance of scores to the (C, C) variances of their differences."""
    own = np.diag(spread)
    return np.asarray(own[:, None] + own[None, :] - 2 * spread)
