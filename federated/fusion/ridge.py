"""Ridge rules without scatter: fitted jointly by all sites, or each label by the sites that label it.

Joint (rho = 1): every image of every site is a negative of the labels it does not have. That is analytic federated
learning (AFL, CVPR 2025), Fed3R (ICML 2024) and, with lifted features, RanPAC (NeurIPS 2023). Masked (rho = 0): a label
is fitted on the sites that label it alone (per-class aggregation, arXiv 2607.20641). Both are `closed_form` at an end
of its range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from federated.errors import ContractError
from federated.fusion.closed_form import fit, full_systems, held_labels, solve, validation_loss
from federated.fusion.linear_rule import LinearRule
from federated.fusion.selection import RIDGES, UNTOLD
from federated.fusion.targets import FLAT, Targets
from federated.manifest import Hyperparameters
from federated.statistics import Statistics, merge


def joint_ridge(
    blocks: Mapping[str, Statistics],
    validation: Mapping[str, Statistics],
    labels: Sequence[str],
    targets: Targets = FLAT,
) -> LinearRule:
    """The joint fit, at the ridge with the least validation error.

    Raises:
        ContractError: no site holds any of the labels, or one keeps its Gram matrix back.
    """
    return ridge_rule(blocks, labels, choose_ridge(blocks, validation, labels, outside=1.0, targets=targets), targets)


def masked_ridge(
    blocks: Mapping[str, Statistics],
    validation: Mapping[str, Statistics],
    labels: Sequence[str],
    targets: Targets = FLAT,
) -> LinearRule:
    """The masked fit, at the ridge with the least validation error.

    Raises:
        ContractError: no site holds any of the labels, or one keeps its Gram matrix back.
    """
    return ridge_rule(blocks, labels, choose_ridge(blocks, validation, labels, outside=0.0, targets=targets), targets)


def choose_ridge(
    blocks: Mapping[str, Statistics],
    validation: Mapping[str, Statistics],
    labels: Sequence[str],
    *,
    outside: float,
    targets: Targets = FLAT,
) -> Hyperparameters:
    """The ridge of `RIDGES` with the least squared validation error over the columns that the fit's own loss counts.

    Raises:
        ContractError: a site keeps its Gram matrix back.
    """
    gram = merge(blocks.values()).gram
    if gram is None:
        lacking = [name for name in sorted(blocks) if blocks[name].gram is None]
        raise ContractError("its Gram matrix is not here", where=", ".join(lacking))
    unit = float(np.trace(gram) / len(gram))
    checks = {name: block for name, block in validation.items() if block.gram is not None and block.weights.sum() > 0}
    if not checks:
        return Hyperparameters(ridge=UNTOLD * unit, scatter=0.0, outside=outside)
    counted = {name: _counted(blocks[name], labels, targets, masked=outside == 0.0) for name in checks}

    def error(asked: Hyperparameters) -> float:
        weights = fit(blocks, labels, asked, targets)
        return sum(validation_loss(weights, checks[name], labels, counted[name], targets) for name in checks)

    asked = [Hyperparameters(ridge=ridge * unit, scatter=0.0, outside=outside) for ridge in RIDGES]
    return min(asked, key=error)


def ridge_rule(
    blocks: Mapping[str, Statistics], labels: Sequence[str], hyperparameters: Hyperparameters, targets: Targets = FLAT
) -> LinearRule:
    """The fit at given values with u_kc as the sites' parts, for the labels that some site holds.

    Raises:
        ContractError: no site holds any of the labels, or one keeps its Gram matrix back.
    """
    systems = full_systems(blocks, labels, hyperparameters, targets)
    if not systems:
        raise ContractError("no site holds an image of any of the labels", where="statistics")
    sites = tuple(sorted(blocks))
    parts = np.zeros((len(sites), blocks[sites[0]].features, len(labels)))
    for key, columns in systems.items():
        asked = [labels[column] for column in columns]
        parts[:, :, columns] = solve(blocks, key, asked, hyperparameters, targets).solutions
    held = sorted(column for columns in systems.values() for column in columns)
    return LinearRule(
        tuple(labels[column] for column in held), sites, parts[:, :, held], np.zeros((len(sites), len(held)))
    )


def _counted(block: Statistics, labels: Sequence[str], targets: Targets, *, masked: bool) -> NDArray[np.bool_]:
    """(C,) the columns in which a site's images count: all of them, or those that it labels."""
    held = held_labels(block)
    return np.array([not masked or targets.holds(held, label) for label in labels])
