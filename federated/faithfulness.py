"""Whether what is displayed of a site tells what removing it would do: rank correlation of the two.

Spearman's rho, once within each image over the sites (does the display put the sites in the right order?) and once over
all (image, site) pairs together. Removal effects are score without the site minus score with it, so that a faithful
display falls as the effect rises; the sign is turned, and 1 is the best there is. Intervals are percentiles over
bootstrap draws of patients, since images of one patient are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from federated.errors import ContractError
from federated.manifest import Frozen
from federated.statistics import Array

DRAWS = 1000
FEWEST = 5  # patients; fewer have no interval
LEVELS = (2.5, 97.5)  # percent
Rows = NDArray[np.int64]


class Correlation(Frozen):
    """A rank correlation with its 95 % interval; None where it is not defined, no bounds of fewer than 5 patients."""

    value: float | None
    low: float | None
    high: float | None


class Faithfulness(Frozen):
    """How well a display tells the effect of removal.

    Attributes:
        per_image: mean over images of the correlation over sites.
        pooled: correlation over all (image, site) pairs.
        images: those with a correlation of their own: neither their displays nor their effects are all equal.
        patients: that stand behind it all.
    """

    per_image: Correlation
    pooled: Correlation
    images: int
    patients: int


def faithfulness(
    displayed: Array,
    effect: Array,
    patients: Sequence[str],
    *,
    against: Literal["drop", "size"] = "drop",
    draws: int = DRAWS,
    seed: int = 0,
) -> Faithfulness:
    """Rank correlation of what is displayed with the effect of removal; any rule's, of any sites.

    Args:
        displayed: (n, K) by image and site: contribution, evidence share, weight.
        effect: (n, K) score without the site minus score with it; may be infinite, not NaN.
        patients: n names.
        against: ``drop``: by how much the score falls without the site; ``size``: by how much it moves either way.
        draws: of patients, with replacement.
        seed: of the draws.

    Raises:
        ContractError: the shapes do not fit, or a value is NaN.
    """
    _check(displayed, effect, patients)
    lost = -effect if against == "drop" else np.abs(effect)
    by_image = rank_correlation(displayed, lost)
    rows = [np.flatnonzero(np.array(patients) == name) for name in dict.fromkeys(patients)]
    drawn = _draws(rows, draws, seed)
    return Faithfulness(
        per_image=_interval(lambda chosen: _mean(by_image[chosen]), len(by_image), drawn),
        pooled=_interval(lambda chosen: _pooled(displayed[chosen], lost[chosen]), len(by_image), drawn),
        images=int(np.isfinite(by_image).sum()),
        patients=len(rows),
    )


def rank_correlation(one: Array, other: Array) -> Array:
    """(n,) Spearman's rho of the rows of two (n, K) arrays, ties at their mean rank; NaN where a row is all equal."""
    first, second = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (_ranks(one), _ranks(other)))
    length = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.where(length > 0, (first * second).sum(axis=1) / np.where(length > 0, length, 1.0), np.nan)


def _ranks(values: Array) -> Array:
    return np.asarray(rankdata(values, axis=1), dtype=np.float64)


def _pooled(displayed: Array, lost: Array) -> float:
    return float(rank_correlation(displayed.reshape(1, -1), lost.reshape(1, -1))[0]) if displayed.size else np.nan


def _mean(values: Array) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if defined.size else np.nan


def _draws(rows: Sequence[Rows], draws: int, seed: int) -> list[Rows]:
    """Rows of each draw; none of too few patients."""
    if len(rows) < FEWEST:
        return []
    chosen = np.random.default_rng(seed).integers(len(rows), size=(draws, len(rows)))
    return [np.concatenate([rows[patient] for patient in draw]) for draw in chosen]


def _interval(figure: Callable[[Rows], float], images: int, drawn: Sequence[Rows]) -> Correlation:
    value = figure(np.arange(images))
    if not np.isfinite(value):
        return Correlation(value=None, low=None, high=None)
    found = np.array([figure(rows) for rows in drawn])
    found = found[np.isfinite(found)]
    if not found.size:
        return Correlation(value=value, low=None, high=None)
    low, high = np.percentile(found, LEVELS)
    return Correlation(value=value, low=float(low), high=float(high))


def _check(displayed: Array, effect: Array, patients: Sequence[str]) -> None:
    if displayed.ndim != 2 or displayed.shape != effect.shape or len(patients) != len(displayed):
        found = f"{displayed.shape} displayed, {effect.shape} effects and {len(patients)} patients do not go together"
        raise ContractError(found, where="faithfulness")
    if np.isnan(displayed).any() or np.isnan(effect).any():
        raise ContractError("a value is not a number", where="faithfulness")
