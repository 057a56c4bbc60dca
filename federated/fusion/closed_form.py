"""Closed-form weighted experts: one linear solve per set of sites, from sufficient statistics alone.

For a class c labelled by the sites Q_c, with weights a_k in [0, 1] (method page, sections 2 and 5),

    A_c = sum_{k in Q_c} a_k G_k + rho sum_{k not in Q_c} a_k G_k + lambda I + gamma S,
    u_kc = A_c^-1 a_k b_kc,      f_c(h) = sum_{k in Q_c} h^T u_kc.

With all weights one this is the minimiser of sum_c [ sum_{k in Q_c} sum_i w_i (h_i^T w_c - y_ic)^2
+ rho sum_{k not in Q_c} sum_i w_i (h_i^T w_c)^2 + lambda |w_c|^2 + gamma w_c^T S w_c ], wherever the images lie.
h^T u_kc is the contribution of site k; the terms of v^T A_c v / (h^T v) with v = A_c^-1 h are the evidence shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from federated.errors import ContractError
from federated.manifest import Hyperparameters
from federated.statistics import Array, Statistics

Weights = tuple[tuple[str, float], ...]


@dataclass(frozen=True, order=True)
class Key:
    """Which sites enter a system and with what weight: `inside` label the class, `outside` do not."""

    inside: Weights
    outside: Weights

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of all sites with a weight."""
        return tuple(name for name, _ in (*self.inside, *self.outside))


@dataclass(frozen=True)
class Solved:
    """A solved system.

    Attributes:
        solutions: (K, M, C), u_kc over all sites and labels; zero for sites that are not inside.
        inverse: (M, M), A^-1.
    """

    solutions: Array
    inverse: Array


def labelling_sites(blocks: Mapping[str, Statistics], label: str) -> tuple[str, ...]:
    """Q_c: the sites, in name order, that hold at least one image of the label."""
    return tuple(name for name in sorted(blocks) if label in held_labels(blocks[name]))


def held_labels(block: Statistics) -> set[str]:
    """Labels of the columns that hold at least one image."""
    return {label for label, weight in zip(block.labels, block.weights, strict=True) if weight > 0}


def full_key(inside: Sequence[str], sites: Sequence[str], hyperparameters: Hyperparameters) -> Key:
    """The system in which nobody is silenced."""
    others = () if hyperparameters.mode == "isolated" else tuple(name for name in sorted(sites) if name not in inside)
    return Key(tuple((name, 1.0) for name in sorted(inside)), tuple((name, 1.0) for name in others))


def class_means(block: Statistics) -> dict[str, Array]:
    """mu_kc for the labels that a site holds."""
    return {
        label: block.class_sums[:, column] / block.weights[column]
        for column, label in enumerate(block.labels)
        if block.weights[column] > 0
    }


def scatter_factor(blocks: Mapping[str, Statistics], sites: Sequence[str]) -> Array:
    """D with S = D D^T, the within-class scatter of the sites' means (section 2); (M, 0) without any."""
    means = {name: class_means(blocks[name]) for name in sites}
    size = next(iter(blocks.values())).features
    columns: list[Array] = []
    for label in sorted({label for site in means.values() for label in site}):
        rows = [means[name][label] for name in sites if label in means[name]]
        if len(rows) > 1:
            center = np.mean(rows, axis=0)
            columns += [row - center for row in rows]
    return np.stack(columns, axis=1) if columns else np.zeros((size, 0))


def assemble(blocks: Mapping[str, Statistics], key: Key, hyperparameters: Hyperparameters) -> Array:
    """A of one system, (M, M).

    Raises:
        ContractError: a site of the system keeps its Gram matrix back.
    """
    size = next(iter(blocks.values())).features
    matrix = np.zeros((size, size))
    scale = {"inside": 1.0, "outside": hyperparameters.outside}
    for part, weights in (("inside", key.inside), ("outside", key.outside)):
        for name, weight in weights:
            gram = blocks[name].gram
            if gram is None:
                raise ContractError("its Gram matrix is not here", where=name)
            if scale[part] * weight:
                matrix += (scale[part] * weight) * gram
    matrix[np.diag_indices(size)] += hyperparameters.ridge
    if hyperparameters.scatter:
        factor = scatter_factor(blocks, scatter_sites(key, hyperparameters))
        matrix += hyperparameters.scatter * (factor @ factor.T)
    return matrix


def scatter_sites(key: Key, hyperparameters: Hyperparameters) -> tuple[str, ...]:
    """Sites that enter S: all of the system, or in isolated mode only those that label the class."""
    chosen = key.inside if hyperparameters.mode == "isolated" else (*key.inside, *key.outside)
    return tuple(sorted(name for name, weight in chosen if weight > 0))


def right_hand_sides(blocks: Mapping[str, Statistics], key: Key, labels: Sequence[str]) -> Array:
    """a_k b_kc, (K, M, C) with K over all sites in name order."""
    names = sorted(blocks)
    size = blocks[names[0]].features
    sums = np.zeros((len(names), size, len(labels)))
    for name, weight in key.inside:
        block = blocks[name]
        for column, label in enumerate(labels):
            if label in block.labels:
                sums[names.index(name), :, column] = weight * block.class_sums[:, block.labels.index(label)]
    return sums


def solve(
    blocks: Mapping[str, Statistics], key: Key, labels: Sequence[str], hyperparameters: Hyperparameters
) -> Solved:
    """Solutions of one system for every label (a label's column means something where key.inside is within Q_c)."""
    matrix = assemble(blocks, key, hyperparameters)
    factor = cho_factor(matrix, lower=True, check_finite=False)
    sums = right_hand_sides(blocks, key, labels)
    sites, size, columns = sums.shape
    flat = sums.transpose(1, 0, 2).reshape(size, sites * columns)
    solved = cho_solve(factor, flat, check_finite=False).reshape(size, sites, columns).transpose(1, 0, 2)
    inverse = cho_solve(factor, np.eye(size), check_finite=False)
    return Solved(np.ascontiguousarray(solved), (inverse + inverse.T) / 2)


def fit(blocks: Mapping[str, Statistics], labels: Sequence[str], hyperparameters: Hyperparameters) -> Array:
    """W, (M, C): the fused classifier with nobody silenced. Classes with the same labelling sites share a factor."""
    size = next(iter(blocks.values())).features
    weights = np.zeros((size, len(labels)))
    for inside, columns in group_by_sites(blocks, labels).items():
        key = full_key(inside, list(blocks), hyperparameters)
        factor = cho_factor(assemble(blocks, key, hyperparameters), lower=True, overwrite_a=True, check_finite=False)
        sums = right_hand_sides(blocks, key, [labels[column] for column in columns]).sum(axis=0)
        weights[:, columns] = cho_solve(factor, sums, check_finite=False)
    return weights


def group_by_sites(blocks: Mapping[str, Statistics], labels: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """Columns of the labels by their Q_c; labels that no site holds are left out."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for column, label in enumerate(labels):
        inside = labelling_sites(blocks, label)
        if inside:
            groups.setdefault(inside, []).append(column)
    return groups


def evidence(
    features: Array,
    inverse: Array,
    key: Key,
    grams: Mapping[str, Array],
    factor: Array,
    hyperparameters: Hyperparameters,
) -> dict[str, Array]:
    """Evidence shares of (n, M) features in one system: sites, ``prior``, ``disagreement``, ``other``; sums to one.

    ``other`` is what the sites whose Gram matrix is not in `grams` hold together.
    """
    solved = features @ inverse
    total = np.einsum("nm,nm->n", features, solved)
    shares = {
        "prior": hyperparameters.ridge * np.einsum("nm,nm->n", solved, solved) / total,
        "disagreement": hyperparameters.scatter * np.einsum("nr,nr->n", solved @ factor, solved @ factor) / total,
    }
    weights = [*key.inside, *((name, hyperparameters.outside * weight) for name, weight in key.outside)]
    for name, weight in weights:
        if name in grams:
            shares[name] = weight * np.einsum("nm,nm->n", solved @ grams[name], solved) / total
    if any(name not in grams and weight > 0 for name, weight in weights):
        shares["other"] = 1.0 - sum(shares.values(), np.zeros(len(features)))
    return shares


def validation_loss(weights: Array, block: Statistics, labels: Sequence[str], columns: NDArray[np.bool_]) -> float:
    """Weighted squared error of one site's validation block over the chosen columns, from its statistics alone."""
    if block.gram is None:
        return 0.0
    wide = block.known(tuple(labels)).spread(tuple(labels))  # a label that nobody trains has no column
    chosen = weights[:, columns]
    fitted = np.einsum("mc,mc->", chosen, block.gram @ chosen)
    cross = np.einsum("mc,mc->", chosen, wide.class_sums[:, columns])
    return float(fitted - 2 * cross + wide.weights[columns].sum())
