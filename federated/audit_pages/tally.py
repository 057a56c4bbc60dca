"""Sums over the summaries of one release: what its experts put into answers, and where nobody knew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federated.contract import Tensors
from federated.decision_summary import FLAGS, REASONS, REST
from federated.manifest import SummaryManifest

Floats = NDArray[np.float64]


@dataclass
class Tally:
    """Of one release, of C concepts and K sites.

    Attributes:
        labels, sites: the release's concepts and sites.
        answered: (C,) clips.
        abstained: (2,) clips by reason.
        weights, contributions: (C, K) sums over what was answered.
        evidence: (C, K + 3) sums of shares: sites, then prior, disagreement, other.
        qualified: (K,) clips for which the site was qualified.
        flags: (3, C) answers whose truth was told, those wrong, those wrong and confident.
    """

    labels: tuple[str, ...]
    sites: tuple[str, ...]
    summaries: int = 0
    decisions: int = 0
    patients: int = 0
    suppressed: int = 0
    answered: Floats = field(init=False)
    abstained: Floats = field(init=False)
    weights: Floats = field(init=False)
    contributions: Floats = field(init=False)
    evidence: Floats = field(init=False)
    qualified: Floats = field(init=False)
    flags: Floats = field(init=False)

    def __post_init__(self) -> None:
        labels, sites = len(self.labels), len(self.sites)
        self.answered, self.abstained, self.qualified = np.zeros(labels), np.zeros(len(REASONS)), np.zeros(sites)
        self.weights, self.contributions = np.zeros((labels, sites)), np.zeros((labels, sites))
        self.evidence, self.flags = np.zeros((labels, sites + len(REST))), np.zeros((len(FLAGS), labels))

    def add(self, manifest: SummaryManifest, tensors: Tensors) -> None:
        """One more summary, whose labels and sites are the release's."""
        self.summaries += 1
        self.decisions += manifest.decisions
        self.patients += manifest.patients
        self.suppressed += len(manifest.suppressed)
        for name in ("answered", "abstained", "weights", "contributions", "evidence", "qualified"):
            getattr(self, name)[...] += tensors[name]
        self.flags += np.stack([tensors[name] for name in FLAGS])

    @property
    def told(self) -> float:
        """Clips that were counted."""
        return float(self.answered.sum() + self.abstained.sum())

    def shares(self) -> Floats:
        """(K,) mean share of the evidence behind an answer."""
        own = self.evidence[:, : len(self.sites)].sum(axis=0)
        return np.asarray(own / max(1.0, float(self.answered.sum())), np.float64)


def means(sums: Floats, answered: Floats) -> list[float | None]:
    """Sums over answers as means of one answer; None where nothing was answered."""
    return [float(value / count) if count else None for value, count in zip(sums, answered, strict=True)]


def packed(values: Sequence[float] | Floats | NDArray[np.int64]) -> bytes:
    """An array as the index keeps it."""
    return np.ascontiguousarray(values, "<f8").tobytes()


def unpacked(data: bytes) -> Floats:
    """(n,) as it was packed."""
    return np.frombuffer(data, "<f8")
