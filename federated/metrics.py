"""Metrics of learning that grows: over arrivals, over (site, class) pairs, and of refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from federated.statistics import Array

ACCEPTED = 0.95  # of the known, at which FPR95 counts the unknown


@dataclass(frozen=True)
class Incremental:
    """Summary of a[t, j], the accuracy on site j after t + 1 arrivals, sites in order of arrival.

    Attributes:
        average: mean over t of the mean accuracy on the sites seen so far.
        last: mean accuracy after the last arrival.
        forgetting: mean over earlier sites of (best accuracy before the last arrival - last accuracy).
        backward_transfer: mean over earlier sites of (last accuracy - accuracy at the site's own arrival).
    """

    average: float
    last: float
    forgetting: float
    backward_transfer: float


def incremental(accuracy: Array) -> Incremental:
    """Summary of a (T, T) matrix; entries above the diagonal (sites not yet there) are not read."""
    arrivals = accuracy.shape[0]
    means = [float(accuracy[t, : t + 1].mean()) for t in range(arrivals)]
    earlier = range(arrivals - 1)
    best = [float(accuracy[j : arrivals - 1, j].max()) for j in earlier]
    forgetting = [best[j] - float(accuracy[-1, j]) for j in earlier]
    backward = [float(accuracy[-1, j] - accuracy[j, j]) for j in earlier]
    return Incremental(
        average=float(np.mean(means)),
        last=means[-1],
        forgetting=float(np.mean(forgetting)) if forgetting else 0.0,
        backward_transfer=float(np.mean(backward)) if backward else 0.0,
    )


def pair_is_seen(labels_of_site: Mapping[str, Iterable[str]], site: str, label: str) -> bool:
    """Whether a site has labelled a class, so that the pair was shown in training."""
    return label in set(labels_of_site.get(site, ()))


def auroc(inside: Array, outside: Array) -> float:
    """P(inside > outside) + P(inside = outside) / 2, the area under the curve of scores that are large inside.

    By ranks (Mann and Whitney, 1947): (R - n(n + 1) / 2) / (n m), R the sum of the ranks of the n inside.

    Raises:
        ValueError: nothing inside, or nothing outside.
    """
    n, m = len(inside), len(outside)
    if not n or not m:
        raise ValueError(f"{n} scores inside and {m} outside cannot be told apart")
    ranks = rankdata(np.concatenate([inside, outside]))
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def refused_at(inside: Array, outside: Array, alpha: float) -> float:
    """Share of the outside that is refused where as many of the inside are as alpha allows.

    What lies below the (floor(alpha n) + 1)-th smallest of the n inside is refused: no ties, so many wrong refusals.
    """
    allowed = int(np.floor(alpha * len(inside) + 1e-9))
    return float((outside < np.sort(inside)[allowed]).mean())


def fpr95(inside: Array, outside: Array) -> float:
    """Share of the outside that is accepted where 95 % of the inside are: one minus the share refused there."""
    return 1.0 - refused_at(inside, outside, 1.0 - ACCEPTED)
