"""Figures of one contestant: after the last arrival, over arrivals, of refusal, and of cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.incremental.answers import Answers, Flags
from federated.metrics import Incremental, incremental
from federated.statistics import Array

BINS = 15  # of calibration error (Guo et al., ICML 2017)
CONFIDENT = 0.9
Choose = Callable[[Answers], Flags]
"""Which clips of a cell count."""


def last_known(answers: Answers) -> Flags:
    """Clips of arrived sites whose label was taught by somebody."""
    return answers.internal & answers.known[-1]


def last_seen(answers: Answers) -> Flags:
    """Those whose own site taught it."""
    return answers.internal & answers.seen[-1]


def last_unseen(answers: Answers) -> Flags:
    """Those whose label only other sites taught."""
    return last_known(answers) & ~answers.seen[-1]


def external_known(answers: Answers) -> Flags:
    """Clips of sites that only test, whose label was taught."""
    return ~answers.internal & answers.known[-1]


def at(site: str) -> Choose:
    """Clips of one site whose label was taught by somebody."""
    return lambda answers: (answers.sites == site) & answers.known[-1]


@dataclass(frozen=True)
class Scores:
    """Accuracy, balanced accuracy and macro F1 of some clips after the last arrival, means over seeds; NaN of none."""

    accuracy: float
    balanced: float
    macro_f1: float


def scores(played: Sequence[Answers], choose: Choose) -> Scores:
    """Of one contestant over seeds."""
    found = np.array([_scores(one, choose(one)) for one in played if choose(one).any()])
    return Scores(*(found.mean(axis=0).tolist() if found.size else [float("nan")] * 3))


def _scores(answers: Answers, chosen: Flags) -> tuple[float, float, float]:
    from sklearn.metrics import f1_score, recall_score

    truth = answers.truth[chosen]
    answered = np.where(answers.right[-1], answers.truth, answers.words(-1))[chosen]
    labels = np.unique(truth)
    recall = recall_score(truth, answered, labels=labels, average="macro", zero_division=0)
    f1 = f1_score(truth, answered, labels=labels, average="macro", zero_division=0)
    return float(answers.right[-1][chosen].mean()), float(recall), float(f1)


def over_pairs(answers: Answers, chosen: Flags, arrival: int = -1) -> float:
    """Balanced accuracy over (site, class) pairs: the mean over pairs of the share of their clips that is right."""
    pairs = np.char.add(np.char.add(answers.sites[chosen], "\n"), answers.truth[chosen])
    _, number = np.unique(pairs, return_inverse=True)
    total = np.bincount(number)
    return float((np.bincount(number, answers.right[arrival][chosen]) / total).mean()) if total.size else float("nan")


def over_arrivals(answers: Answers) -> Array:
    """(T,) balanced accuracy over the pairs of the sites so far whose label was taught by then."""
    return np.array(
        [
            over_pairs(answers, np.isin(answers.sites, answers.order[: step + 1]) & answers.known[step], step)
            for step in range(len(answers.order))
        ]
    )


def learning(answers: Answers) -> Incremental:
    """The summary of a[t, j], the accuracy on the clips of site j whose label it teaches.

    Answers are held to that site's labels at every t, so that a growing set of labels is no forgetting.
    """
    return incremental(_matrix(answers))


def before_arrival(answers: Answers) -> float:
    """Mean over sites but the first of a[j - 1, j]: what others taught a site before it arrived."""
    matrix = _matrix(answers)
    return float(np.mean([matrix[site - 1, site] for site in range(1, len(matrix))])) if len(matrix) > 1 else np.nan


def _matrix(answers: Answers) -> Array:
    """Of sites that hold back a clip of what they teach; the last row is after the last arrival of all."""
    own = {step: (answers.sites == site) & answers.seen[-1] for step, site in enumerate(answers.order)}
    own = {step: mask for step, mask in own.items() if mask.any()}
    steps = [*list(own)[:-1], len(answers.order) - 1]
    return np.array([[answers.within[step][mask].mean() for mask in own.values()] for step in steps])


def calibration_error(answers: Answers, chosen: Flags) -> float:
    """Mean distance of the probability of the answer from the share that is right, in bins of equal width."""
    probability, right = answers.probability[-1][chosen], answers.right[-1][chosen]
    given = ~np.isnan(probability)
    if not given.any():
        return float("nan")
    probability, right = probability[given], right[given]
    bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    gaps = np.abs(np.bincount(bins, probability - right, minlength=BINS))
    return float(gaps.sum() / probability.size)


def wrong_and_confident(answers: Answers, chosen: Flags) -> float:
    """Share of clips of any label whose answer is wrong, was not refused, and has a probability of 0.9 or more."""
    wrong = ~answers.right[-1] & (answers.answered[-1] >= 0) & ~answers.refused[-1]
    return share(wrong & (np.nan_to_num(answers.probability[-1]) >= CONFIDENT), chosen)


def refused_known(answers: Answers) -> float:
    """Share refused after the last arrival of clips whose own site taught their label."""
    return share(answers.refused[-1], last_seen(answers))


def refused_unknown(answers: Answers) -> float:
    """Share refused, over all arrivals and sites, of clips whose label nobody had taught."""
    return share(answers.refused.ravel(), ~answers.known.ravel())


def share(hits: Flags, chosen: Flags) -> float:
    """Of the chosen; NaN of none."""
    return float(hits[chosen].mean()) if chosen.any() else float("nan")


def sureness(answers: Answers) -> tuple[Array, Array]:
    """How sure answers are, over all arrivals: of clips whose own site taught their label, and that nobody taught.

    The largest p-value where there is one, else the probability of the answer.
    """
    sure = np.where(np.isnan(answers.p), np.nan_to_num(answers.probability), answers.p)
    return sure[answers.seen], sure[~answers.known]


def kilobytes(counts: Mapping[str, NDArray[np.int64]]) -> float:
    """The most of any site after the last arrival."""
    return max(float(steps[-1]) for steps in counts.values()) / 1000
