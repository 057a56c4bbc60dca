"""What one contestant answered in one cell: every held-back clip after every arrival, as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.incremental.kept import write_arrays
from federated.in_distribution import qualified
from federated.statistics import Array

ALPHA = 0.05
Flags = NDArray[np.bool_]
WORDS = ("sites", "patients", "clips", "truth")
NUMBERS = (
    "answered",
    "right",
    "within",
    "known",
    "seen",
    "probability",
    "p",
    "drift",
    "seconds",
    "images_per_second",
    "weights",
    "contributions",
)


@dataclass(frozen=True)
class Answers:
    """n held-back clips of all sites, T arrivals, K = T sites that arrive, in order.

    Attributes:
        about: suite, preset, seed, order and contestant of the cell.
        labels: that `answered` counts.
        order: names of the arriving sites.
        external: names of those that only test.
        taught: labels of every arriving site's training patients.
        sites, patients, clips, truth: (n,) of each clip.
        answered: (T, n) number of the answered label, -1 for none.
        right: (T, n) whether that is the true label, or one below it.
        within: (T, n) the same had the answer been held to the labels that the clip's site ever teaches.
        known: (T, n) whether some site so far has taught the true label, or one below it.
        seen: (T, n) whether the clip's own site has.
        probability: (T, n) of the answered label.
        p: (T, n) the largest p-value, NaN for rules that never refuse.
        drift: (T,) the largest change that the arrival made to a score of a label that the newcomer does not teach, in
            standard deviations of these scores; NaN at the first.
        seconds: (T,) of training.
        images_per_second: (T,) answered.
        sent, received: site -> (T,) bytes so far.
        weights, contributions: (n, T) by site, the second to the answered label; (n, 0) where none are displayed.
    """

    about: Mapping[str, str | int]
    labels: tuple[str, ...]
    order: tuple[str, ...]
    external: tuple[str, ...]
    taught: Mapping[str, tuple[str, ...]]
    sites: NDArray[np.str_]
    patients: NDArray[np.str_]
    clips: NDArray[np.str_]
    truth: NDArray[np.str_]
    answered: NDArray[np.int64]
    right: Flags
    within: Flags
    known: Flags
    seen: Flags
    probability: Array
    p: Array
    drift: Array
    seconds: Array
    images_per_second: Array
    sent: Mapping[str, NDArray[np.int64]]
    received: Mapping[str, NDArray[np.int64]]
    weights: Array
    contributions: Array

    @property
    def internal(self) -> Flags:
        """(n,) whether the clip is of a site that arrives."""
        return np.isin(self.sites, self.order)

    @property
    def refused(self) -> Flags:
        """(T, n) whether no site is qualified; never where there is no p-value."""
        return ~(np.isnan(self.p) | qualified(np.nan_to_num(self.p, nan=1.0), ALPHA))

    def words(self, arrival: int) -> NDArray[np.str_]:
        """(n,) answered labels, empty where there is none."""
        return np.array([*self.labels, ""])[self.answered[arrival]]


def write_answers(path: Path, answers: Answers) -> None:
    """All of them, whole or not at all."""
    about = {
        "about": dict(answers.about),
        "labels": answers.labels,
        "order": answers.order,
        "external": answers.external,
        "taught": dict(answers.taught),
        "sent": {site: bytes_.tolist() for site, bytes_ in answers.sent.items()},
        "received": {site: bytes_.tolist() for site, bytes_ in answers.received.items()},
    }
    arrays = {name: getattr(answers, name) for name in (*WORDS, *NUMBERS)}
    write_arrays(path, {**arrays, "about": np.array(json.dumps(about))})


def read_answers(path: Path) -> Answers:
    """What `write_answers` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    about = json.loads(str(arrays.pop("about")))
    numbers: dict[str, Any] = arrays
    return Answers(
        about=about["about"],
        labels=tuple(about["labels"]),
        order=tuple(about["order"]),
        external=tuple(about["external"]),
        taught={site: tuple(labels) for site, labels in about["taught"].items()},
        sent=_counts(about["sent"]),
        received=_counts(about["received"]),
        **numbers,
    )


def _counts(by_site: Mapping[str, list[int]]) -> dict[str, NDArray[np.int64]]:
    return {site: np.array(counts, dtype=np.int64) for site, counts in by_site.items()}
