"""Streaming linear discriminant analysis: class means and one covariance, both sums over sites.

Deep SLDA (Hayes and Kanan, CVPR workshops 2020): with S = (G - sum_c n_c mu_c mu_c^T) / n and its shrunk form
S_e = (1 - e) S + e (tr S / M) I, the score of c is h^T S_e^-1 mu_c - mu_c^T S_e^-1 mu_c / 2 + log pi_c, where pi_c is
n_c / n or the same for all. Its covariance is kept as sums, so that no order of arrival is told from another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from federated.errors import ContractError
from federated.fusion.linear_rule import ClassMeans, LinearRule, class_means_of, rule_of_means
from federated.fusion.pairwise_error import pairwise_error
from federated.fusion.targets import FLAT, Targets
from federated.in_distribution import shrunk
from federated.statistics import Array, Statistics, merge

Prior = Literal["equal", "counted"]
PRIORS: tuple[Prior, ...] = ("equal", "counted")
SHRINKAGES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)  # the first is Deep SLDA's, the last the nearest mean
UNTOLD: tuple[float, Prior] = (3e-2, "equal")  # where there is no validation block


def discriminant(
    blocks: Mapping[str, Statistics],
    labels: Sequence[str],
    shrinkage: float,
    prior: Prior = "equal",
    targets: Targets = FLAT,
) -> LinearRule:
    """The rule at a given shrinkage in (0, 1] and prior, for the labels that some site holds.

    Raises:
        ContractError: no site holds any of the labels, or one keeps its Gram matrix back.
    """
    return rule_under(class_means_of(blocks, labels, targets), shrunk(within_covariance(blocks), shrinkage), prior)


def tuned_discriminant(
    blocks: Mapping[str, Statistics],
    validation: Mapping[str, Statistics],
    labels: Sequence[str],
    targets: Targets = FLAT,
) -> LinearRule:
    """The rule at the shrinkage and prior with the least `pairwise_error` on validation statistics.

    Raises:
        ContractError: no site holds any of the labels, or one keeps a Gram matrix back.
    """
    found, within = class_means_of(blocks, labels, targets), within_covariance(blocks)
    checks = [block for block in validation.values() if block.weights.sum() > 0]
    if not checks:
        return rule_under(found, shrunk(within, UNTOLD[0]), UNTOLD[1])
    rules = [rule_under(found, shrunk(within, shrinkage), prior) for shrinkage in SHRINKAGES for prior in PRIORS]
    return min(rules, key=lambda rule: pairwise_error(rule, checks, targets))


def within_covariance(blocks: Mapping[str, Statistics]) -> Array:
    """S, (M, M): of the images of all sites about the means of their labels over all sites.

    Raises:
        ContractError: a site keeps its Gram matrix back.
    """
    total = merge(blocks[name] for name in sorted(blocks))
    if total.gram is None:
        lacking = [name for name in sorted(blocks) if blocks[name].gram is None]
        raise ContractError("its Gram matrix is not here", where=", ".join(lacking))
    return np.asarray((total.gram - total.means_gram()) / total.weights.sum())


def rule_under(found: ClassMeans, covariance: Array, prior: Prior) -> LinearRule:
    """The discriminant of class means under one positive definite covariance, (M, M)."""
    factor = cho_factor(covariance, lower=True, check_finite=False)
    sites, size, columns = found.site_means.shape
    flat = found.site_means.transpose(1, 0, 2).reshape(size, sites * columns)
    mapped = cho_solve(factor, flat, check_finite=False).reshape(size, sites, columns).transpose(1, 0, 2)
    counted = np.log(found.counts / found.counts.sum())
    return rule_of_means(found, np.ascontiguousarray(mapped), counted if prior == "counted" else np.zeros(columns))
