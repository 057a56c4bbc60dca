"""Whether two contestants can be told apart: the same patients drawn for both, and the same seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.incremental.answers import Answers
from benchmarks.incremental.figures import Choose, over_pairs
from federated.statistics import Array

DRAWS = 1000
LEVELS = (0.025, 0.975)


@dataclass(frozen=True)
class Drawn:
    """How often each patient is drawn, for the clips of all seeds together.

    Attributes:
        chosen: of every seed, rows that count.
        patient, pair: (n,) numbers of the chosen clips' patients and (site, class) pairs.
        times: (draws, patients); patients are drawn within their sites, with their clips in all seeds.
    """

    chosen: tuple[NDArray[np.int64], ...]
    patient: NDArray[np.int64]
    pair: NDArray[np.int64]
    times: Array


@dataclass(frozen=True)
class Sampled:
    """Balanced accuracy over pairs: its value, in draws of patients, and by seed; NaN of no clips."""

    value: float
    draws: Array
    seeds: Array

    def interval(self) -> tuple[float, float]:
        """95 % over patients."""
        return _quantiles(self.draws)


@dataclass(frozen=True)
class Difference:
    """First minus second: its value, and 95 % intervals over patients and over seeds."""

    value: float
    by_patient: tuple[float, float]
    by_seed: tuple[float, float]

    @property
    def told_apart(self) -> bool:
        """Both intervals leave out zero."""
        return all(low > 0 or high < 0 for low, high in (self.by_patient, self.by_seed))


def draw(played: Sequence[Answers], choose: Choose) -> Drawn:
    """Draws for the clips that a question is about; they are the same for every contestant of these cells."""
    rows = tuple(np.flatnonzero(choose(one)) for one in played)
    sites, patients, truth = (
        np.concatenate([getattr(one, name)[chosen] for one, chosen in zip(played, rows, strict=True)])
        for name in ("sites", "patients", "truth")
    )
    keys, patient = np.unique(_joined(sites, patients), return_inverse=True)
    pair = np.unique(_joined(sites, truth), return_inverse=True)[1]
    site_of = np.array([key.partition("\n")[0] for key in keys])
    generator, times = np.random.default_rng(0), np.zeros((DRAWS, keys.size))
    for site in np.unique(site_of):
        members = np.flatnonzero(site_of == site)
        times[:, members] = generator.multinomial(members.size, np.full(members.size, 1 / members.size), size=DRAWS)
    return Drawn(rows, patient, pair, times)


def _joined(first: NDArray[np.str_], second: NDArray[np.str_]) -> NDArray[np.str_]:
    return np.char.add(np.char.add(first, "\n"), second)


def sample(played: Sequence[Answers], drawn: Drawn, choose: Choose) -> Sampled:
    """One contestant on the clips of a question."""
    if not drawn.patient.size:
        return Sampled(float("nan"), np.full(DRAWS, np.nan), np.full(len(played), np.nan))
    hits = np.concatenate([one.right[-1][rows] for one, rows in zip(played, drawn.chosen, strict=True)])
    shape = (drawn.times.shape[1], int(drawn.pair.max()) + 1)
    total, right = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (drawn.patient, drawn.pair), 1.0)
    np.add.at(right, (drawn.patient, drawn.pair), hits.astype(np.float64))
    by_seed = np.array([over_pairs(one, choose(one)) for one in played])
    draws = _mean_share(drawn.times @ right, drawn.times @ total)
    return Sampled(float(_mean_share(right.sum(axis=0)[None], total.sum(axis=0)[None])[0]), draws, by_seed)


def _mean_share(right: Array, total: Array) -> Array:
    """Mean over pairs, without those that a draw does not hold."""
    shares = np.divide(right, total, out=np.full(right.shape, np.nan), where=total > 0)
    return np.asarray(np.nanmean(shares, axis=1))


def difference(first: Sampled, second: Sampled) -> Difference:
    """Paired by patient and by seed; the interval over seeds is Student's."""
    by_seed = first.seeds - second.seeds
    return Difference(first.value - second.value, _quantiles(first.draws - second.draws), _student(by_seed))


def _quantiles(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, LEVELS)
    return float(low), float(high)


def _student(values: Array) -> tuple[float, float]:
    """Of the mean; of one value nothing is known."""
    from scipy.stats import t

    values = values[~np.isnan(values)]
    if len(values) < 2:
        return -np.inf, np.inf
    half = float(t.ppf(LEVELS[1], len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()) - half, float(values.mean()) + half
