"""What held labels say of a federation's columns: a label is 1 for itself and what is above it, or silent, or 0.

Columns are the labels that some site holds. With T_uc in {1, 0, silent} for a label u and a column c (partial labels,
section 2), b_kc = sum_{u: T_uc = 1} B_k,u, and images of labels silent on c are left out of c's Gram matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from federated.hierarchy import granularity, target
from federated.statistics import Array, Statistics
from federated.vocabulary import Vocabulary

Silent = tuple[tuple[str, str], ...]
"""(site, label) pairs: images that say nothing of a column."""


@dataclass(frozen=True)
class Targets:
    """By column, the held labels that are 1 for it, where these are more than itself, and those that are silent."""

    ones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    silences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def ones_of(self, column: str) -> tuple[str, ...]:
        """The labels whose images are images of this column."""
        return self.ones.get(column, (column,))

    def silences_of(self, column: str) -> tuple[str, ...]:
        """The labels whose images may or may not be images of this column."""
        return self.silences.get(column, ())

    @property
    def coarse(self) -> frozenset[str]:
        """The labels that are silent on some column."""
        return frozenset(label for labels in self.silences.values() for label in labels)

    def sums(self, block: Statistics, column: str) -> Array:
        """b_kc, (M,): class sums of the labels that are 1 for the column."""
        return np.asarray(block.class_sums[:, self._columns(block, column)].sum(axis=1))

    def weight(self, block: Statistics, column: str) -> float:
        """n_kc: the weight of the images that are 1 for the column."""
        return float(block.weights[self._columns(block, column)].sum())

    def _columns(self, block: Statistics, column: str) -> list[int]:
        return [block.labels.index(label) for label in self.ones_of(column) if label in block.labels]

    def holds(self, held: Iterable[str], column: str) -> bool:
        """Whether a site that holds these labels labels the column."""
        return not set(self.ones_of(column)).isdisjoint(held)

    def silent(self, held: Mapping[str, Iterable[str]], column: str) -> Silent:
        """Which images of which sites, in name order, are left out of a column's Gram matrix."""
        return tuple(
            (name, label) for name in sorted(held) for label in self.silences_of(column) if label in held[name]
        )


FLAT = Targets()


@lru_cache(32)
def targets_of(vocabulary: Vocabulary, labels: tuple[str, ...]) -> Targets:
    """What each of these labels, which some site holds, says of each of them as a column.

    Raises:
        DataError: the vocabulary does not have them.
    """
    said = {column: {label: target(vocabulary, label, column) for label in labels} for column in labels}
    ones = {column: tuple(label for label in labels if row[label] == 1) for column, row in said.items()}
    silences = {column: tuple(label for label in labels if row[label] is None) for column, row in said.items()}
    return Targets(
        {column: chosen for column, chosen in ones.items() if len(chosen) > 1},
        {column: chosen for column, chosen in silences.items() if chosen},
    )


def coarse_labels(vocabulary: Vocabulary, labels: Iterable[str]) -> tuple[str, ...]:
    """Those labels that are silent on some concept of the vocabulary: each has a Gram matrix of its own.

    No two labels are silent on the same concepts, unless on none, so that one Gram matrix for each coarse label and
    one for all others is one for each granularity.

    Raises:
        DataError: the vocabulary does not have them.
    """
    return tuple(label for label in labels if granularity(vocabulary, label, vocabulary.codes))
