"""What all methods made of the hearts of all seeds, and what that tells: means with intervals over patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.reconstruction_cells import Cell
from benchmarks.reconstruction_scores import Scores
from shared_models.reconstruction.volume_metrics import THRESHOLDS, PeakIou, peak_iou

Array = NDArray[np.float64]
RESAMPLES = 2000
AT_A_HALF = THRESHOLDS.index(0.5)


@dataclass(frozen=True)
class Found:
    """Of one target and one number of views.

    Attributes:
        target, views: which.
        patients: (n,) whose hearts, of all seeds one after the other; no two seeds' are the same.
        scores: method -> of the n hearts.
        learnt_seconds: method -> the mean over seeds.
    """

    target: str
    views: int
    patients: Sequence[str]
    scores: Mapping[str, Sequence[Scores]]
    learnt_seconds: Mapping[str, float]

    def ious(self, method: str) -> Array | None:
        """(n, 8) at every threshold; None of a method that finds no solid."""
        each = [one.ious for one in self.scores[method]]
        return None if None in each else np.array(each, dtype=np.float64)

    def peak(self, method: str) -> PeakIou:
        """Of a method that finds solids."""
        each = self.ious(method)
        assert each is not None
        return peak_iou(each)

    def at_peak(self, method: str) -> Array:
        """(n,) overlap at the threshold where its mean is largest."""
        each = self.ious(method)
        assert each is not None
        return each[:, THRESHOLDS.index(self.peak(method).threshold)]

    def values(self, method: str, of: Callable[[Scores], float | None]) -> Array | None:
        """(n,) of a figure; None where the method has none."""
        each = [of(one) for one in self.scores[method]]
        return None if None in each else np.array(each, dtype=np.float64)

    def volume_error(self, method: str) -> Array:
        """(n,) percent, whatever the sign."""
        each = self.values(method, lambda one: one.error)
        assert each is not None
        return np.abs(each)

    @cached_property
    def _weights(self) -> Array:
        """(resamples, n) how often each heart is there when patients are drawn with replacement."""
        _, patient = np.unique(np.array(self.patients), return_inverse=True)
        count = int(patient.max()) + 1
        picks = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
        times = np.stack([np.bincount(pick, minlength=count) for pick in picks])
        return times[:, patient].astype(np.float64)

    def interval(self, values: Array) -> tuple[float, float]:
        """95 % of the mean of (n,) values."""
        means = (self._weights @ values) / self._weights.sum(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        return float(low), float(high)


def by_views(cells: Sequence[Cell]) -> list[Found]:
    """Cells by target and number of views, seeds one after the other."""
    found = []
    for target, views in dict.fromkeys((cell.target, cell.views) for cell in cells):
        own = [cell for cell in cells if (cell.target, cell.views) == (target, views)]
        of = {method: [cell for cell in own if cell.method == method] for method in {one.method: 0 for one in own}}
        scores = {method: [one for cell in each for one in cell.scores] for method, each in of.items()}
        seconds = {method: float(np.mean([cell.learnt_seconds for cell in each])) for method, each in of.items()}
        patients = [one.patient for one in next(iter(scores.values()))]
        found.append(Found(target, views, patients, scores, seconds))
    return found
