"""What is true of the held-back clips of a suite, and what sites have taught of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.incremental.answers import Flags
from benchmarks.incremental.contestant import Site
from benchmarks.incremental.suite import Suite
from federated.hierarchy import target
from federated.statistics import Array


@dataclass(frozen=True)
class Facts:
    """n held-back clips of all sites.

    Attributes:
        sites, patients, clips, truth: (n,) of each.
        labels: the vocabulary.
        below: (C, C) whether the first label is the second, or below it.
        own: (n, C) labels that the clip's site ever teaches; all of them at a site that only tests.
    """

    sites: NDArray[np.str_]
    patients: NDArray[np.str_]
    clips: NDArray[np.str_]
    truth: NDArray[np.str_]
    labels: tuple[str, ...]
    below: Flags
    own: Flags

    @classmethod
    def of(cls, suite: Suite) -> Facts:
        """Clips in the order of sites, then of first appearance."""
        clips = [clip for site in suite.everyone for clip in _clips(site)]
        labels = suite.vocabulary.codes
        below = np.array([[target(suite.vocabulary, one, other) == 1 for other in labels] for one in labels])
        own = {site.name: np.isin(labels, site.labels or labels) for site in suite.everyone}
        sites, patients, names, truth = (np.array(column, dtype=np.str_) for column in zip(*clips, strict=True))
        return cls(sites, patients, names, truth, labels, below, np.stack([own[site] for site in sites.tolist()]))

    def right(self, answered: NDArray[np.int64]) -> Flags:
        """(n,) whether answers, -1 for none, are the true label or below it."""
        return (answered >= 0) & self.below[answered, self._true]

    def within(self, scores: Array) -> NDArray[np.int64]:
        """(n,) the best label by (n, C) scores among those of the clip's own site, -1 for none."""
        held = np.where(self.own, scores, -np.inf)
        return np.where(np.isneginf(held).all(axis=1), -1, held.argmax(axis=1))

    def known(self, arrived: Sequence[Site]) -> Flags:
        """(n,) whether some of these sites teach the true label, or one below it."""
        return self._taught({label for site in arrived for label in site.labels})

    def seen(self, arrived: Sequence[Site]) -> Flags:
        """(n,) whether the clip's own site is among these and teaches it."""
        found = np.zeros(len(self.sites), dtype=np.bool_)
        for site in arrived:
            found |= (self.sites == site.name) & self._taught(site.labels)
        return found

    def _taught(self, labels: Collection[str]) -> Flags:
        rows = [self.labels.index(label) for label in labels]
        return np.asarray(self.below[rows].any(axis=0))[self._true]

    @property
    def _true(self) -> NDArray[np.int64]:
        return np.array([self.labels.index(label) for label in self.truth], dtype=np.int64)


def _clips(site: Site) -> list[tuple[str, str, str, str]]:
    local = site.folds["test"].local
    facts = dict(zip(local.clips, zip(local.patients, local.labels, strict=True), strict=True))
    return [(site.name, patient, clip, label) for clip, (patient, label) in facts.items()]
