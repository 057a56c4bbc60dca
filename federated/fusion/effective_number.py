"""Patients counted by what one more of them adds: a site's label counts by its effective number, not by its patients.

With n patients of a label and a volume N, E = N (1 - (1 - 1/N)^n) (Cui et al., CVPR 2019): about n of few patients, and
never more than N. Without it, where one site labels two views and another eleven, each view of the first weighs five
times one of the second, and its scanner with it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federated.statistics import Array, Statistics


def effective_number(patients: Array, volume: float) -> Array:
    """E of each of these numbers of patients, for a volume N > 1."""
    return np.asarray(-volume * np.expm1(patients * np.log1p(-1 / volume)))


def counted(blocks: Mapping[str, Statistics], volume: float | None) -> dict[str, Statistics]:
    """Blocks of sites in which every label counts by its effective number; as they are where no volume is given."""
    return {name: block if volume is None else _counted(block, volume) for name, block in blocks.items()}


def _counted(block: Statistics, volume: float) -> Statistics:
    """Class means stay; the scatter about them is that of the block, at the weight of all that counts."""
    held = block.weights > 0
    weights = np.where(held, effective_number(block.weights, volume), 0.0)
    means = np.divide(block.class_sums, block.weights, out=np.zeros_like(block.class_sums), where=held)
    means_alone = Statistics(block.labels, None, means * weights, weights)
    if block.gram is None:
        return means_alone
    scale = float(weights.sum() / block.weights.sum()) if held.any() else 1.0
    own = {label: _own(block, means_alone, label, scale) for label in block.own_grams}
    gram = scale * (block.gram - block.means_gram()) + means_alone.means_gram()
    return Statistics(block.labels, gram, means_alone.class_sums, weights, own)


def _own(block: Statistics, means_alone: Statistics, label: str, scale: float) -> Array:
    """The same of the Gram matrix of one label's images."""
    before, after = block.known((label,)), means_alone.known((label,))
    return np.asarray(scale * (block.own_grams[label] - before.means_gram()) + after.means_gram())
