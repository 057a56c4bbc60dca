"""Discriminant analysis that expects another site to lie apart as the known ones do.

The covariance is S + gamma D D^T / r: beside that of images about the mean of their label (`discriminant`), the spread
of the sites' means about the mean of these, over the r labels and sites that share one (`closed_form.scatter_factor`).
Directions in which sites differ by scanner count less. With gamma = 0 it is streaming discriminant analysis; a random
site effect of that covariance would ask for gamma near 1, but the few sites that there are show few of its directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from federated.fusion.closed_form import scatter_factor
from federated.fusion.discriminant import PRIORS, SHRINKAGES, UNTOLD, Prior, rule_under, within_covariance
from federated.fusion.linear_rule import ClassMeans, LinearRule, class_means_of
from federated.fusion.pairwise_error import pairwise_error
from federated.fusion.selection import left_out
from federated.fusion.targets import FLAT, Targets
from federated.in_distribution import shrunk
from federated.statistics import Array, Statistics

SCATTERS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
Blocks = Mapping[str, Statistics]


def scattered_discriminant(
    blocks: Blocks,
    labels: Sequence[str],
    shrinkage: float,
    scatter: float,
    prior: Prior = "equal",
    targets: Targets = FLAT,
) -> LinearRule:
    """The rule at a given shrinkage e in (0, 1], scatter gamma and prior, for the labels that some site holds.

    Raises:
        ContractError: no site holds any of the labels, or one keeps its Gram matrix back.
    """
    return _parts(blocks, labels, targets).rule(shrinkage, scatter, prior)


def tuned_scattered_discriminant(
    blocks: Blocks, validation: Blocks, labels: Sequence[str], targets: Targets = FLAT
) -> LinearRule:
    """The rule with the least `pairwise_error` on validation statistics.

    Shrinkage, scatter, then shrinkage and prior. The scatter is chosen by the mean of the error of all sites together
    and that of sites left out, which it is there for.

    Raises:
        ContractError: no site holds any of the labels, or one keeps a Gram matrix back.
    """
    checks = {name: block for name, block in validation.items() if block.weights.sum() > 0}
    parts = _parts(blocks, labels, targets)
    shrinkage, prior = UNTOLD
    if not checks:
        return parts.rule(shrinkage, 1.0, prior)

    def pooled(shrinkage: float, scatter: float, prior: Prior) -> float:
        return pairwise_error(parts.rule(shrinkage, scatter, prior), checks.values(), targets)

    scatter = 1.0
    shrinkage = min(SHRINKAGES, key=lambda value: pooled(value, scatter, prior))
    others = [(_parts(rest, labels, targets), judges) for rest, judges in left_out(blocks, checks)]
    if others:

        def transfer(value: float) -> float:
            errors = [pairwise_error(rest.rule(shrinkage, value, prior), judges, targets) for rest, judges in others]
            return pooled(shrinkage, value, prior) + float(np.mean(errors))

        scatter = min(SCATTERS, key=transfer)
    pairs = [(value, prior) for value in SHRINKAGES for prior in PRIORS]
    shrinkage, prior = min(pairs, key=lambda pair: pooled(pair[0], scatter, pair[1]))
    return parts.rule(shrinkage, scatter, prior)


@dataclass(frozen=True)
class _Parts:
    """What the rule is made of: means, S and D D^T / r."""

    found: ClassMeans
    within: Array
    between: Array

    def rule(self, shrinkage: float, scatter: float, prior: Prior) -> LinearRule:
        return rule_under(self.found, shrunk(self.within + scatter * self.between, shrinkage), prior)


def _parts(blocks: Blocks, labels: Sequence[str], targets: Targets) -> _Parts:
    factor = scatter_factor(blocks, sorted(blocks))
    between = np.asarray(factor @ factor.T / max(1, factor.shape[1]))
    return _Parts(class_means_of(blocks, labels, targets), within_covariance(blocks), between)
