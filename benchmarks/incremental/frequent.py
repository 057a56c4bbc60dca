"""Always the site's most frequent label, without a look at the image: what a site's name alone is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from benchmarks.incremental.contestant import Answered, Fold, Site, Start


class MostFrequent:
    """Counts clips by label; a site that never arrived is answered by everybody's counts."""

    def __init__(self, start: Start) -> None:
        self.labels = start.vocabulary.codes
        self.counts: dict[str, Counter[str]] = {}

    def arrive(self, site: Site) -> float:
        """Counts the labels of its training clips."""
        local = site.folds["train"].local
        self.counts[site.name] = Counter(dict(zip(local.clips, local.labels, strict=True)).values())
        return 0.0

    def answer(self, fold: Fold, site: str) -> Answered:
        """Counts as scores, shares as probabilities."""
        count = self.counts.get(site) or sum(self.counts.values(), Counter[str]())
        row = np.array([count[label] for label in self.labels], dtype=np.float64)
        scores = np.tile(np.where(row > 0, row, -np.inf), (len(fold.local.labels), 1))
        return Answered(self.labels, scores, np.tile(row / row.sum(), (len(scores), 1)))

    def sent(self) -> Mapping[str, int]:
        """A few numbers, told as none."""
        return dict.fromkeys(self.counts, 0)

    def received(self) -> Mapping[str, int]:
        """Nothing."""
        return dict.fromkeys(self.counts, 0)
