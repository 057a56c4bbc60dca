"""One cell: one contestant learns the sites of one seed in one order, and is asked about everybody after each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.incremental.answers import Answers
from benchmarks.incremental.contestant import Answered, Contestant, Site
from benchmarks.incremental.facts import Facts
from benchmarks.incremental.suite import Suite, for_training
from federated.descent import tree_of
from federated.hierarchy import target
from federated.statistics import Array
from federated.vocabulary import Vocabulary


@dataclass(frozen=True)
class Cell:
    """Which of all."""

    suite: str
    preset: str
    seed: int
    order: int
    contestant: str

    @property
    def file(self) -> str:
        """A name for its file."""
        return f"{self.seed}-{self.order}-{plain(self.contestant)}"


def plain(contestant: str) -> str:
    """The name of a file for a contestant's name."""
    return "".join(letter if letter.isalnum() else "-" for letter in contestant) + ".npz"


@dataclass(frozen=True)
class _Asked:
    """Answers of one arrival by clip: scores (n, C) over all labels, the answer, its probability, p, and the parts.

    And of every site, the seconds that went into what was found ready.
    """

    scores: Array
    answered: NDArray[np.int64]
    probability: Array
    p: Array
    weights: Array
    contributions: Array
    seconds: Array


def play(cell: Cell, suite: Suite, contestant: Contestant) -> Answers:
    """Everything that is learnt and asked in a cell."""
    arriving, labels = suite.arriving(cell.order), suite.vocabulary.codes
    facts = Facts.of(suite)
    asked: list[_Asked] = []
    seconds, rates, drifts, sent, received = [], [], [], [], []
    for site in arriving:
        started = time.perf_counter()
        found = contestant.arrive(for_training(site))
        seconds.append(time.perf_counter() - started + found)
        started = time.perf_counter()
        asked.append(_ask(contestant, suite.everyone, suite.vocabulary))
        rates.append(_images(suite.everyone) / (time.perf_counter() - started + float(asked[-1].seconds.sum())))
        drifts.append(_drift(asked, others_of(suite.vocabulary, site)))
        sent.append(dict(contestant.sent()))
        received.append(dict(contestant.received()))
    return Answers(
        about={
            "suite": cell.suite,
            "preset": cell.preset,
            "seed": cell.seed,
            "order": cell.order,
            "contestant": cell.contestant,
        },
        labels=labels,
        order=tuple(site.name for site in arriving),
        external=tuple(site.name for site in suite.external),
        taught={site.name: site.labels for site in arriving},
        sites=facts.sites,
        patients=facts.patients,
        clips=facts.clips,
        truth=facts.truth,
        answered=np.stack([one.answered for one in asked]),
        right=np.stack([facts.right(one.answered) for one in asked]),
        within=np.stack([facts.right(facts.within(one.scores)) for one in asked]),
        known=np.stack([facts.known(arriving[:count]) for count in range(1, len(arriving) + 1)]),
        seen=np.stack([facts.seen(arriving[:count]) for count in range(1, len(arriving) + 1)]),
        probability=np.stack([one.probability for one in asked]),
        p=np.stack([one.p for one in asked]),
        drift=np.array(drifts),
        seconds=np.array(seconds),
        images_per_second=np.array(rates),
        sent=_by_site(sent, arriving),
        received=_by_site(received, arriving),
        weights=asked[-1].weights,
        contributions=asked[-1].contributions,
    )


def _images(sites: Sequence[Site]) -> int:
    return sum(len(site.folds["test"].local.labels) for site in sites)


def _ask(contestant: Contestant, sites: Sequence[Site], vocabulary: Vocabulary) -> _Asked:
    parts = [by_clip(contestant.answer(site.folds["test"], site.name), site, vocabulary) for site in sites]
    return _Asked(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Asked.__annotations__))


def by_clip(answered: Answered, site: Site, vocabulary: Vocabulary) -> _Asked:
    """Means over the images of each clip; its answer is what the means of the scores say, down the tree or not."""
    clips, labels = site.folds["test"].local.clips, vocabulary.codes
    names = list(dict.fromkeys(clips))
    number = np.array([names.index(clip) for clip in clips], dtype=np.int64)
    columns = np.array([labels.index(label) for label in answered.labels], dtype=np.int64)
    scores = np.full((len(names), len(labels)), -np.inf)
    scores[:, columns] = _means(answered.scores, number, len(names))
    probabilities = np.zeros((len(names), len(labels)))
    probabilities[:, columns] = _means(answered.probabilities, number, len(names))
    best = scores.argmax(axis=1)
    if answered.best is not None:
        best = columns[tree_of(vocabulary, answered.labels).best(scores[:, columns])]
    best = np.where(np.isneginf(scores).all(axis=1), -1, best)
    p = np.full(len(clips), np.nan) if answered.p is None else answered.p
    weights = np.zeros((len(clips), 0)) if answered.weights is None else answered.weights
    return _Asked(
        scores=scores,
        answered=best,
        probability=probabilities[np.arange(len(names)), best],
        p=_means(p[:, None], number, len(names))[:, 0],
        weights=_means(weights, number, len(names)),
        contributions=_means(_contributions(answered, columns, best[number]), number, len(names)),
        seconds=np.array([answered.seconds]),
    )


def _means(values: Array, number: NDArray[np.int64], clips: int) -> Array:
    """(n, C) values of images to (clips, C) means; the mean of a value and -inf is -inf."""
    sums = np.zeros((clips, values.shape[1]))
    np.add.at(sums, number, values)
    return np.asarray(sums / np.maximum(np.bincount(number, minlength=clips), 1)[:, None])


def _contributions(answered: Answered, columns: NDArray[np.int64], best: NDArray[np.int64]) -> Array:
    """(n, T) of each image to the label that its clip is answered with."""
    if answered.contributions is None:
        return np.zeros((best.size, 0))
    place = np.argmax(columns == best[:, None], axis=1)
    return np.take_along_axis(answered.contributions, place[:, None, None], axis=2)[:, :, 0]


def others_of(vocabulary: Vocabulary, newcomer: Site) -> list[int]:
    """Columns of the labels that a newcomer does not teach, nor a label below them."""
    codes = vocabulary.codes
    return [
        column
        for column, code in enumerate(codes)
        if not any(target(vocabulary, label, code) == 1 for label in newcomer.labels)
    ]


def _drift(asked: Sequence[_Asked], others: Sequence[int]) -> float:
    """The largest change of a score that was there before, in standard deviations of these scores."""
    if len(asked) < 2:
        return float("nan")
    before, after = (one.scores[:, others] for one in asked[-2:])
    both = np.isfinite(before) & np.isfinite(after)
    change = float(np.abs(after[both] - before[both]).max(initial=0.0))
    return change / float(before[both].std()) if change else 0.0


def _by_site(told: Sequence[dict[str, int]], arriving: Sequence[Site]) -> dict[str, NDArray[np.int64]]:
    return {site.name: np.array([bytes_.get(site.name, 0) for bytes_ in told], dtype=np.int64) for site in arriving}
