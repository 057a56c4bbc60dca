"""The four questions on which contestants are compared, and every comparison on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.incremental import figures
from benchmarks.incremental.answers import Answers
from benchmarks.incremental.contestants import CLOSED_FORM
from benchmarks.incremental.paired import Difference, Sampled, difference, draw, sample

Played = Mapping[str, Sequence[Answers]]
"""Every contestant's cells in the usual order of arrival, seed by seed."""

ALL, SEEN, UNSEEN, EXTERNAL = "all pairs", "seen pairs", "unseen pairs", "sites that only test"
QUESTIONS: Mapping[str, figures.Choose] = {
    ALL: figures.last_known,
    SEEN: figures.last_seen,
    UNSEEN: figures.last_unseen,
    EXTERNAL: figures.external_known,
}


@dataclass(frozen=True)
class Compared:
    """By question that has clips, then by contestant: the accuracy, and that of the closed form minus it."""

    sampled: Mapping[str, Mapping[str, Sampled]]

    @property
    def differences(self) -> Mapping[str, Mapping[str, Difference]]:
        """The closed form minus every other."""
        return {
            question: {name: difference(of[CLOSED_FORM], one) for name, one in of.items() if name != CLOSED_FORM}
            for question, of in self.sampled.items()
        }


def compare(played: Played) -> Compared:
    """Everybody on the same draws of patients."""
    first = next(iter(played.values()))
    sampled: dict[str, dict[str, Sampled]] = {}
    for question, choose in QUESTIONS.items():
        drawn = draw(first, choose)
        if drawn.patient.size:
            sampled[question] = {name: sample(cells, drawn, choose) for name, cells in played.items()}
    return Compared(sampled)


def usual(answers: Sequence[Answers]) -> dict[str, list[Answers]]:
    """Cells in the usual order of arrival, by contestant."""
    found: dict[str, list[Answers]] = {}
    for one in answers:
        if one.about["order"] == 0:
            found.setdefault(str(one.about["contestant"]), []).append(one)
    return found


def deviations(answers: Sequence[Answers]) -> dict[str, float]:
    """Of every contestant, the deviation over orders of arrival of its accuracy over all pairs; NaN of one order."""
    found: dict[str, list[float]] = {}
    for one in answers:
        if one.about["seed"] == answers[0].about["seed"]:
            value = figures.over_pairs(one, figures.last_known(one))
            found.setdefault(str(one.about["contestant"]), []).append(value)
    return {name: float(np.std(values, ddof=1)) if len(values) > 1 else float("nan") for name, values in found.items()}


def mean_over(cells: Sequence[Answers], figure: Callable[[Answers], float]) -> float:
    """Mean over seeds, without those that have no such figure; NaN if none has."""
    values = np.array([figure(one) for one in cells])
    return float(values[~np.isnan(values)].mean()) if not np.isnan(values).all() else float("nan")
