"""How well held-back clips are answered: accuracies with intervals by patient, refusals beside them.

The label decision and the refusal are judged apart: accuracies are those of the forced label (the largest score,
whether the clip was refused or not), and refusals of clips that could be known stand beside refusals of clips whose
label nobody taught the release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from federated.manifest import Frozen
from federated.metrics import pair_is_seen

DRAWS = 2000
Pair = Literal["seen", "unseen", "unknown"]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class HeldBack:
    """Held-back clips, one item each: the site, the patient, the clip's name and its true label."""

    sites: tuple[str, ...]
    patients: tuple[str, ...]
    clips: tuple[str, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.clips)

    def at(self, sites: Sequence[str]) -> Mask:
        """Which clips are of these sites."""
        return np.isin(np.array(self.sites, dtype=str), list(sites))


@dataclass(frozen=True)
class Answers:
    """One method's forced label for every held-back clip, None where it has none, and whether it refused to give it."""

    method: str
    labels: tuple[str | None, ...]
    refused: tuple[bool, ...]


class Interval(Frozen):
    """A share with its 95 % bootstrap interval over patients; all None where there is no clip."""

    value: float | None
    low: float | None
    high: float | None
    clips: int
    patients: int


class Figures(Frozen):
    """What one method does on held-back clips. Keys of the dictionaries are sites."""

    method: str
    accuracy: Interval
    balanced: Interval
    seen: Interval
    unseen: Interval
    testing: Interval
    refused: Interval
    refused_unknown: Interval
    site_accuracy: dict[str, Interval]
    site_balanced: dict[str, Interval]
    site_refused: dict[str, Interval]
    site_own: dict[str, float | None]


def pair_kinds(held: HeldBack, taught: Mapping[str, Sequence[str]]) -> tuple[Pair, ...]:
    """Of every clip, whether its (site, label) pair was taught, only its label by other sites, or neither.

    Args:
        held: the clips.
        taught: labels of the training patients of every site that has arrived.
    """
    known = {label for labels in taught.values() for label in labels}

    def kind(site: str, label: str) -> Pair:
        if pair_is_seen(taught, site, label):
            return "seen"
        return "unseen" if label in known else "unknown"

    return tuple(kind(site, label) for site, label in zip(held.sites, held.labels, strict=True))


@lru_cache(maxsize=4)
def patient_draws(held: HeldBack, *, seed: int = 0, draws: int = DRAWS) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bootstrap samples of patients within their sites.

    Returns:
        The number of every clip's patient (n,), and how often each patient is drawn (draws, patients).
    """
    keys = [f"{site}\0{patient}" for site, patient in zip(held.sites, held.patients, strict=True)]
    names, number = np.unique(keys, return_inverse=True)
    site_of = np.array([name.split("\0")[0] for name in names])
    generator = np.random.default_rng(seed)
    times = np.zeros((draws, names.size), dtype=np.int64)
    for site in np.unique(site_of):
        members = np.flatnonzero(site_of == site)
        times[:, members] = generator.multinomial(members.size, np.full(members.size, 1 / members.size), size=draws)
    return number.astype(np.int64), times


def share(held: HeldBack, hits: Mask, chosen: Mask, *, balanced: bool = False, seed: int = 0) -> Interval:
    """Share of chosen clips that are hits; `balanced` averages the shares of the true labels (balanced accuracy)."""
    groups = np.array(held.labels if balanced else [""] * len(held), dtype=str)[chosen]
    names, column = np.unique(groups, return_inverse=True)
    number, times = patient_draws(held, seed=seed)
    shape = (times.shape[1], names.size)
    total, right = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (number[chosen], column), 1.0)
    np.add.at(right, (number[chosen], column), hits[chosen].astype(float))
    patients = int((total.sum(axis=1) > 0).sum())
    if not patients:
        return Interval(value=None, low=None, high=None, clips=0, patients=0)
    value = _mean_share(right.sum(axis=0, keepdims=True), total.sum(axis=0, keepdims=True))[0]
    samples = _mean_share(times @ right, times @ total)
    low, high = np.nanquantile(samples, [0.025, 0.975])
    return Interval(value=float(value), low=float(low), high=float(high), clips=int(chosen.sum()), patients=patients)


def _mean_share(right: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over groups of right / total, leaving out groups that a sample does not hold; NaN where it holds none."""
    shares = np.divide(right, total, out=np.zeros_like(right), where=total > 0)
    present = (total > 0).sum(axis=1)
    return np.divide(shares.sum(axis=1), present, out=np.full(len(right), np.nan), where=present > 0)


def figures(
    held: HeldBack,
    answers: Answers,
    taught: Mapping[str, Sequence[str]],
    sites: Sequence[str],
    testing: Sequence[str] = (),
    *,
    seed: int = 0,
) -> Figures:
    """Figures of one method.

    Accuracies are over the clips of sites that have arrived (the keys of `taught`) whose label some site taught;
    those at sites that only test likewise; refusals of the unknown over clips of any site whose label none did; the
    figures of a site over all its clips that the method answers.

    Args:
        held: the clips of all sites.
        answers: one method's answers to them.
        taught: labels of the training patients of every site that has arrived.
        sites: every site, arrived or not.
        testing: those of them that never arrive.
        seed: of the bootstrap.
    """
    right = np.array([answer == label for answer, label in zip(answers.labels, held.labels, strict=True)], dtype=bool)
    refused = np.array(answers.refused, dtype=bool)
    kinds = np.array(pair_kinds(held, taught), dtype=str)
    known = held.at(list(taught)) & (kinds != "unknown")
    own = kinds == "seen"
    given = np.array([label is not None for label in answers.labels], dtype=bool)
    at = {site: held.at([site]) & given for site in sites}
    return Figures(
        method=answers.method,
        accuracy=share(held, right, known, seed=seed),
        balanced=share(held, right, known, balanced=True, seed=seed),
        seen=share(held, right, known & (kinds == "seen"), seed=seed),
        unseen=share(held, right, known & (kinds == "unseen"), seed=seed),
        testing=share(held, right, held.at(testing) & given & (kinds != "unknown"), seed=seed),
        refused=share(held, refused, known, seed=seed),
        refused_unknown=share(held, refused, kinds == "unknown", seed=seed),
        site_accuracy={site: share(held, right, mask, seed=seed) for site, mask in at.items()},
        site_balanced={site: share(held, right, mask, balanced=True, seed=seed) for site, mask in at.items()},
        site_refused={site: share(held, refused, mask, seed=seed) for site, mask in at.items()},
        site_own={site: float(right[mask & own].mean()) if (mask & own).any() else None for site, mask in at.items()},
    )


def difference(held: HeldBack, first: Answers, second: Answers, chosen: Mask, *, seed: int = 0) -> Interval:
    """Accuracy of the first minus that of the second on the same clips, resampling the same patients for both."""
    number, times = patient_draws(held, seed=seed)
    gain = np.array(
        [
            float(a == label) - float(b == label)
            for a, b, label in zip(first.labels, second.labels, held.labels, strict=True)
        ]
    )
    total, sums = np.zeros(times.shape[1]), np.zeros(times.shape[1])
    np.add.at(total, number[chosen], 1.0)
    np.add.at(sums, number[chosen], gain[chosen])
    patients = int((total > 0).sum())
    if not patients:
        return Interval(value=None, low=None, high=None, clips=0, patients=0)
    drawn = times @ total
    samples = np.divide(times @ sums, drawn, out=np.full(len(drawn), np.nan), where=drawn > 0)
    low, high = np.nanquantile(samples, [0.025, 0.975])
    value = float(gain[chosen].mean())
    return Interval(value=value, low=float(low), high=float(high), clips=int(chosen.sum()), patients=patients)
