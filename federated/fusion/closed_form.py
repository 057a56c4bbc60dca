"""Closed-form weighted experts: one linear solve per set of sites, from sufficient statistics alone.

For a class c labelled by the sites Q_c, with weights a_k in [0, 1] (method page, sections 2 and 5),

    A_c = sum_{k in Q_c} a_k G_k + rho sum_{k not in Q_c} a_k G_k + lambda I + gamma S,
    u_kc = A_c^-1 a_k b_kc,      f_c(h) = sum_{k in Q_c} h^T u_kc.

Where labels are partial (`federated.fusion.targets`), b_kc sums the labels that are 1 for c, Q_c are the sites that
hold one of these, and each G_k goes without the images of labels that are silent on c.

With all weights one this is the minimiser of sum_c [ sum_{k in Q_c} sum_i w_i (h_i^T w_c - y_ic)^2
+ rho sum_{k not in Q_c} sum_i w_i (h_i^T w_c)^2 + lambda |w_c|^2 + gamma w_c^T S w_c ], wherever the images lie.
h^T u_kc is the contribution of site k; the terms of v^T A_c v / (h^T v) with v = A_c^-1 h are the evidence shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from federated.errors import ContractError
from federated.fusion.targets import FLAT, Silent, Targets
from federated.manifest import Hyperparameters
from federated.statistics import Array, Statistics

Weights = tuple[tuple[str, float], ...]


@dataclass(frozen=True, order=True)
class Key:
    """Which sites enter a system and with what weight: `inside` label the class, `outside` do not.

    `silent` are the (site, label) whose images are left out.
    """

    inside: Weights
    outside: Weights
    silent: Silent = ()

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of all sites with a weight."""
        return tuple(name for name, _ in (*self.inside, *self.outside))

    def silent_at(self, site: str) -> tuple[str, ...]:
        """Labels of a site whose images are left out."""
        return tuple(label for name, label in self.silent if name == site)


@dataclass(frozen=True)
class Solved:
    """A solved system.

    Attributes:
        solutions: (K, M, C), u_kc over all sites and labels; zero for sites that are not inside.
        factor: (M, M), lower Cholesky factor of A; above the diagonal it holds anything.
    """

    solutions: Array
    factor: Array

    @cached_property
    def inverse(self) -> Array:
        """(M, M), A^-1; only evidence needs it, and it takes longer than the solutions."""
        inverse = cho_solve((self.factor, True), np.eye(len(self.factor)), check_finite=False)
        return np.asarray((inverse + inverse.T) / 2)


def labelling_sites(blocks: Mapping[str, Statistics], label: str, targets: Targets = FLAT) -> tuple[str, ...]:
    """Q_c: the sites, in name order, that hold at least one image of the label, or of a label below it."""
    return tuple(name for name in sorted(blocks) if targets.holds(held_labels(blocks[name]), label))


def held_labels(block: Statistics) -> set[str]:
    """Labels of the columns that hold at least one image."""
    return {label for label, weight in zip(block.labels, block.weights, strict=True) if weight > 0}


def full_key(inside: Sequence[str], sites: Sequence[str], hyperparameters: Hyperparameters, silent: Silent = ()) -> Key:
    """The system in which nobody is silenced."""
    others = () if hyperparameters.mode == "isolated" else tuple(name for name in sorted(sites) if name not in inside)
    return partial_key(tuple((name, 1.0) for name in sorted(inside)), tuple((name, 1.0) for name in others), silent)


def partial_key(inside: Weights, outside: Weights, silent: Silent) -> Key:
    """A system; images of sites that are not in it need not be left out."""
    names = {name for name, _ in (*inside, *outside)}
    return Key(inside, outside, tuple((name, label) for name, label in silent if name in names))


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
            gram = blocks[name].gram_without(key.silent_at(name))
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


def right_hand_sides(
    blocks: Mapping[str, Statistics], key: Key, labels: Sequence[str], targets: Targets = FLAT
) -> Array:
    """a_k b_kc, (K, M, C) with K over all sites in name order."""
    names = sorted(blocks)
    size = blocks[names[0]].features
    sums = np.zeros((len(names), size, len(labels)))
    for name, weight in key.inside:
        for column, label in enumerate(labels):
            sums[names.index(name), :, column] = weight * targets.sums(blocks[name], label)
    return sums


def solve(
    blocks: Mapping[str, Statistics],
    key: Key,
    labels: Sequence[str],
    hyperparameters: Hyperparameters,
    targets: Targets = FLAT,
) -> Solved:
    """Solutions of one system for every label.

    A label's column means something where key.inside is within Q_c and key.silent are the images silent on it.
    """
    matrix = assemble(blocks, key, hyperparameters)
    factor = cho_factor(matrix, lower=True, check_finite=False)
    sums = right_hand_sides(blocks, key, labels, targets)
    sites, size, columns = sums.shape
    flat = sums.transpose(1, 0, 2).reshape(size, sites * columns)
    solved = cho_solve(factor, flat, check_finite=False).reshape(size, sites, columns).transpose(1, 0, 2)
    return Solved(np.ascontiguousarray(solved), factor[0])


def fit(
    blocks: Mapping[str, Statistics],
    labels: Sequence[str],
    hyperparameters: Hyperparameters,
    targets: Targets = FLAT,
) -> Array:
    """W, (M, C): the fused classifier with nobody silenced. Classes with the same system share a factor."""
    size = next(iter(blocks.values())).features
    weights = np.zeros((size, len(labels)))
    for key, columns in full_systems(blocks, labels, hyperparameters, targets).items():
        weights[:, columns] = fused(blocks, key, [labels[column] for column in columns], hyperparameters, targets)
    return weights


def fused(
    blocks: Mapping[str, Statistics],
    key: Key,
    labels: Sequence[str],
    hyperparameters: Hyperparameters,
    targets: Targets = FLAT,
) -> Array:
    """Solutions of one system summed over sites, (M, C): what `solve` gives in parts."""
    matrix = assemble(blocks, key, hyperparameters).T  # symmetric; LAPACK reads it by columns, so nothing is copied
    factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    sums = right_hand_sides(blocks, key, labels, targets).sum(axis=0)
    return np.asarray(cho_solve(factor, sums, check_finite=False))


def full_systems(
    blocks: Mapping[str, Statistics],
    labels: Sequence[str],
    hyperparameters: Hyperparameters,
    targets: Targets = FLAT,
) -> dict[Key, list[int]]:
    """Columns of the labels by their system with nobody silenced; labels that no site holds are left out."""
    held = {name: held_labels(block) for name, block in blocks.items()}
    groups: dict[Key, list[int]] = {}
    for column, label in enumerate(labels):
        inside = labelling_sites(blocks, label, targets)
        if inside:
            key = full_key(inside, list(blocks), hyperparameters, targets.silent(held, label))
            groups.setdefault(key, []).append(column)
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

    `grams` are without the images that the system leaves out; ``other`` is what the sites that are not in it hold
    together.
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


def validation_loss(
    weights: Array,
    block: Statistics,
    labels: Sequence[str],
    columns: NDArray[np.bool_],
    targets: Targets = FLAT,
) -> float:
    """Weighted squared error of one site's validation block over the chosen columns, from its statistics alone.

    Images whose label is silent on a column do not count in it.
    """
    if block.gram is None:
        return 0.0
    wide = block.known(tuple(labels)).spread(tuple(labels))  # a label that nobody trains has no column
    by_silence: dict[tuple[str, ...], list[int]] = {}
    for column in np.flatnonzero(columns).tolist():
        by_silence.setdefault(targets.silences_of(labels[column]), []).append(column)
    return sum(
        _squared_error(weights[:, chosen], wide, [labels[column] for column in chosen], silent, targets)
        for silent, chosen in by_silence.items()
    )


def _squared_error(
    weights: Array, block: Statistics, labels: Sequence[str], silent: Sequence[str], targets: Targets
) -> float:
    """Of columns on which the same labels are silent."""
    gram = block.gram_without(silent)
    assert gram is not None
    sums = np.stack([targets.sums(block, label) for label in labels], axis=1)
    fitted = np.einsum("mc,mc->", weights, gram @ weights)
    cross = np.einsum("mc,mc->", weights, sums)
    return float(fitted - 2 * cross + np.array([targets.weight(block, label) for label in labels]).sum())
