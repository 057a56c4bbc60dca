"""Sufficient statistics of frozen features: Gram matrix, class sums and weights, which add, subtract and merge.

With features h_i, sample weights w_i and one-hot labels y_i (method page, section 1):
G = sum_i w_i h_i h_i^T, B = sum_i w_i h_i y_i^T, n_c = sum_{i: y_i = c} w_i.
A label that is silent on other concepts (partial labels, section 2) has a Gram matrix of its own images beside G.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federated.errors import ContractError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Statistics of one block of images.

    Attributes:
        labels: the C labels of the columns.
        gram: (M, M), symmetric; None where only class sums are shared (level 1).
        class_sums: (M, C).
        weights: (C,), sums of sample weights.
        own_grams: label -> (M, M), the part of `gram` that is of its images alone; empty where `gram` is None.
    """

    labels: tuple[str, ...]
    gram: Array | None
    class_sums: Array
    weights: Array
    own_grams: Mapping[str, Array] = field(default_factory=dict)

    @property
    def features(self) -> int:
        """Number of features, M."""
        return int(self.class_sums.shape[0])

    def spread(self, labels: tuple[str, ...]) -> Statistics:
        """The same statistics over more (or reordered) labels; columns of absent labels are zero.

        Raises:
            ContractError: a label with weight would be lost.
        """
        lost = {label for label, weight in zip(self.labels, self.weights, strict=True) if weight} - set(labels)
        if lost:
            raise ContractError(f"labels {sorted(lost)} have no column", where="statistics")
        sums, weights = np.zeros((self.features, len(labels))), np.zeros(len(labels))
        for column, label in enumerate(self.labels):
            if label in labels:
                sums[:, labels.index(label)] = self.class_sums[:, column]
                weights[labels.index(label)] = self.weights[column]
        own_grams = {label: self.own_grams[label] for label in labels if label in self.own_grams}
        return Statistics(labels, self.gram, sums, weights, own_grams)

    def keeping(self, labels: Iterable[str]) -> Statistics:
        """The same statistics with no Gram matrix of its own for any other label."""
        kept = {label: own for label, own in self.own_grams.items() if label in labels}
        return Statistics(self.labels, self.gram, self.class_sums, self.weights, kept)

    def known(self, labels: tuple[str, ...]) -> Statistics:
        """The columns of these labels only; images of other labels stay in the Gram matrix."""
        kept = [column for column, label in enumerate(self.labels) if label in labels]
        chosen = tuple(self.labels[column] for column in kept)
        own_grams = self.keeping(chosen).own_grams
        return Statistics(chosen, self.gram, self.class_sums[:, kept], self.weights[kept], own_grams)

    def without_gram(self) -> Statistics:
        """Level 1."""
        return Statistics(self.labels, None, self.class_sums, self.weights)

    def gram_of(self, label: str) -> Array:
        """(M, M) of one label's images: its own where there is one, else as means and scatter within classes imply.

        n_c mu_c mu_c^T + n_c / n (G - sum_c n_c mu_c mu_c^T), with G, n and c of the images whose label has no Gram
        matrix of its own: together these are never more than G.
        """
        if label in self.own_grams:
            return self.own_grams[label]
        left = self.gram_without(tuple(self.own_grams))
        assert left is not None
        rest = self.known(tuple(name for name in self.labels if name not in self.own_grams))
        if label not in rest.labels or not rest.weights[rest.labels.index(label)]:
            return np.zeros_like(left)
        column = rest.labels.index(label)
        share = rest.weights[column] / rest.weights.sum()
        sums = rest.class_sums[:, column]
        return np.asarray(np.outer(sums, sums) / rest.weights[column] + share * (left - rest.means_gram()))

    def gram_without(self, labels: Sequence[str]) -> Array | None:
        """(M, M) of the images of all other labels; the Gram matrix itself where none is named."""
        if self.gram is None or not labels:
            return self.gram
        return np.asarray(self.gram - np.sum([self.gram_of(label) for label in labels], axis=0))

    def means_gram(self) -> Array:
        """sum_c n_c mu_c mu_c^T, (M, M)."""
        held = self.weights > 0
        sums = self.class_sums[:, held]
        return np.asarray((sums / self.weights[held]) @ sums.T)


def from_features(
    features: Array,
    labels: Iterable[str],
    weights: Array,
    order: tuple[str, ...],
    own: Iterable[str] = (),
) -> Statistics:
    """Statistics of (n, M) features with one label and one weight a row; `order` fixes the columns.

    The images of each label in `own` have a Gram matrix of their own as well.

    Raises:
        ContractError: a label has no column.
    """
    features = np.asarray(features, dtype=np.float64)
    index = np.array([_column(label, order) for label in labels], dtype=np.int64)
    onehot = np.zeros((features.shape[0], len(order)))
    onehot[np.arange(index.size), index] = weights
    weighted = features * np.asarray(weights, dtype=np.float64)[:, None]
    own_grams = {label: _gram(features, weighted, index == order.index(label)) for label in order if label in own}
    gram = _gram(features, weighted, slice(None))
    return Statistics(order, gram, features.T @ onehot, onehot.sum(axis=0), own_grams)


def _gram(features: Array, weighted: Array, rows: NDArray[np.bool_] | slice) -> Array:
    gram = features[rows].T @ weighted[rows]
    return np.asarray((gram + gram.T) / 2)


def _column(label: str, order: tuple[str, ...]) -> int:
    if label not in order:
        raise ContractError(f"labels ['{label}'] have no column", where="statistics")
    return order.index(label)


def merge(blocks: Iterable[Statistics]) -> Statistics:
    """Sum of blocks over the union of their labels, in order of first appearance; a Gram only if all have one.

    A label that has a Gram matrix of its own in some blocks gets one in the sum: in the others, as `gram_of` implies.

    Raises:
        ContractError: there is no block, or their features differ in number.
    """
    blocks = list(blocks)
    widths = sorted({block.features for block in blocks})
    if len(widths) != 1:
        what = f"{' and '.join(map(str, widths))} features do not add" if widths else "there is nothing to add"
        raise ContractError(what, where="statistics")
    order = tuple(dict.fromkeys(label for block in blocks for label in block.labels))
    wide = [block.spread(order) for block in blocks]
    grams = [block.gram for block in wide if block.gram is not None]
    gram = np.sum(grams, axis=0) if len(grams) == len(wide) else None
    sums = np.sum([block.class_sums for block in wide], axis=0)
    own = [label for label in order if gram is not None and any(label in block.own_grams for block in wide)]
    own_grams = {label: np.asarray(np.sum([block.gram_of(label) for block in wide], axis=0)) for label in own}
    return Statistics(order, gram, sums, np.sum([block.weights for block in wide], axis=0), own_grams)


def pack_symmetric(matrix: Array) -> Array:
    """(M, M) symmetric to its packed upper triangle, (M(M+1)/2,)."""
    return np.ascontiguousarray(matrix[np.triu_indices(matrix.shape[0])])


def unpack_symmetric(packed: Array, size: int) -> Array:
    """Packed upper triangle to (size, size).

    Raises:
        ContractError: the length does not fit.
    """
    if packed.shape != (size * (size + 1) // 2,):
        raise ContractError(f"has {packed.shape} values, {size * (size + 1) // 2} expected", where="gram")
    matrix = np.zeros((size, size))
    matrix[np.triu_indices(size)] = packed
    return matrix + np.triu(matrix, 1).T
