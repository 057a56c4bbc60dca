"""A rule that is linear in the features, as a sum of what each site adds to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from federated.errors import ContractError
from federated.fusion.closed_form import labelling_sites
from federated.fusion.targets import FLAT, Targets
from federated.statistics import Array, Statistics


@dataclass(frozen=True)
class LinearRule:
    """Scores of C labels, linear in M features: the largest answers.

    Attributes:
        labels: of the columns.
        sites: the T whose parts add up.
        site_weights: (T, M, C).
        site_bias: (T, C).
    """

    labels: tuple[str, ...]
    sites: tuple[str, ...]
    site_weights: Array
    site_bias: Array

    @property
    def weights(self) -> Array:
        """(M, C)."""
        return np.asarray(self.site_weights.sum(axis=0))

    @property
    def bias(self) -> Array:
        """(C,)."""
        return np.asarray(self.site_bias.sum(axis=0))

    def scores(self, features: Array) -> Array:
        """(n, M) features to (n, C)."""
        return np.asarray(features @ self.weights + self.bias)

    def contributions(self, features: Array) -> Array:
        """(n, M) features to (n, T, C), which add up to the scores over sites."""
        return np.asarray(np.einsum("nm,tmc->ntc", features, self.site_weights, optimize=True) + self.site_bias)


@dataclass(frozen=True)
class ClassMeans:
    """Means of C labels over all sites, and what each site has of them.

    Attributes:
        labels: those that some site holds.
        sites: in name order.
        means: (M, C), mu_c.
        counts: (C,), n_c.
        site_means: (T, M, C), the terms b_kc / n_c that add up to mu_c.
        shares: (T, C), n_kc / n_c.
    """

    labels: tuple[str, ...]
    sites: tuple[str, ...]
    means: Array
    counts: Array
    site_means: Array
    shares: Array


def class_means_of(blocks: Mapping[str, Statistics], labels: Sequence[str], targets: Targets = FLAT) -> ClassMeans:
    """Class means from class sums alone; the sites' weights of images add up.

    Raises:
        ContractError: no site holds any of the labels.
    """
    held = tuple(label for label in labels if labelling_sites(blocks, label, targets))
    if not held:
        raise ContractError("no site holds an image of any of the labels", where="statistics")
    sites = tuple(sorted(blocks))
    counts = np.array([[targets.weight(blocks[name], label) for label in held] for name in sites])
    sums = np.stack([np.stack([targets.sums(blocks[name], label) for label in held], axis=1) for name in sites])
    total = counts.sum(axis=0)
    return ClassMeans(held, sites, sums.sum(axis=0) / total, total, sums / total, counts / total)


def rule_of_means(found: ClassMeans, mapped: Array, offsets: Array) -> LinearRule:
    """The rule h^T v_c - mu_c^T v_c / 2 + o_c, with v_c the image of mu_c under a symmetric linear map.

    Args:
        found: mu_c and its terms by site.
        mapped: (T, M, C), images of these terms, which add up to v_c.
        offsets: (C,), o_c, of which a site has the share that it has of the images.
    """
    half = np.einsum("mc,tmc->tc", found.means, mapped) / 2
    return LinearRule(found.labels, found.sites, mapped, found.shares * offsets - half)
