"""A release measured on the site's own held-back patients, beside the release adopted before.

Answer and refusal are judged apart: accuracies are those of the label with the largest score, whether the answer was
withheld or not, over clips whose label the release knows; refusals of clips that it could know stand beside refusals
of clips whose label nobody taught it. A coarse label is met by whatever lies below it. An answer that stops above the
label is right as far as it goes, and is counted by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federated.decision import Decision
from federated.manifest import Digest, Frozen
from federated.statistics import Array

DRAWS = 2000
FEWEST = 5  # patients; draws of fewer say more about them than about the next one
SEED = 0
WITHHELD = "(withheld)"
Mask = NDArray[np.bool_]


class Interval(Frozen):
    """A figure with its 95 % percentile interval over bootstrap draws of patients.

    All None where there is no clip; no bounds where fewer than five patients stand behind it.
    """

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.value is None:
            return "no clips"
        if self.low is None or self.high is None:
            return f"{100 * self.value:.1f} % (fewer than {FEWEST} patients: no interval)"
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"


class Comparison(Frozen):
    """Paired differences to the release adopted before; positive where the newer one is better.

    Both are judged on the clips whose label the newer one knows.
    """

    release: Digest
    accuracy: Interval
    balanced_accuracy: Interval


class Evaluation(Frozen):
    """What a release does on the clips of the site's test fold.

    Attributes:
        patients, clips: of the whole fold; `known` clips have a label that the release knows, or knows parts of.
        accuracy, balanced_accuracy: of the label with the largest score, over the known clips.
        withheld, withheld_unknown: refusals among the known clips and among the others.
        confusion: true label -> answer, withheld ones apart -> clips; over the whole fold.
        coarser: answers that name a concept above the true label, over the whole fold.
        before: paired with the release adopted before, where there is one.
    """

    release: Digest
    patients: int
    clips: int
    known: int
    accuracy: Interval
    balanced_accuracy: Interval
    withheld: int
    withheld_unknown: int
    confusion: dict[str, dict[str, int]]
    before: Comparison | None = None
    coarser: int = 0


@dataclass(frozen=True)
class Answered:
    """Clips of a test fold with their true labels, patients and decisions, one item each.

    `above` holds, of each label that something lies above, what does.
    """

    labels: tuple[str, ...]
    patients: tuple[str, ...]
    decisions: tuple[Decision, ...]
    above: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def known(self) -> Mask:
        """Which clips have a label that the release knows, or that lies above one that it knows."""
        return self._each(lambda label, decision: any(self._within(name, label) for name in decision.scores))

    @property
    def right(self) -> Mask:
        """Which clips' largest score is their label's, or that of a label below it."""
        return self._each(lambda label, decision: self._within(decision.best, label))

    @property
    def coarser(self) -> Mask:
        """Which clips are answered with a concept above their label."""
        return self._each(lambda label, decision: decision.label in self.above.get(label, frozenset()))

    def _each(self, holds: Callable[[str, Decision], bool]) -> Mask:
        pairs = zip(self.labels, self.decisions, strict=True)
        return np.array([holds(label, decision) for label, decision in pairs], dtype=bool)

    def _within(self, name: str, label: str) -> bool:
        return name == label or label in self.above.get(name, frozenset())

    @property
    def withheld(self) -> Mask:
        """Which clips were refused."""
        return self._each(lambda _, decision: decision.abstained)


Figure = Callable[[Answered, Mask, Array], Array]
"""A figure of a method's answers over some clips, for (draws, n) weights of the clips."""


def evaluate(release: str, answered: Answered, before: tuple[str, Answered] | None = None) -> Evaluation:
    """Figures of a release, and its paired difference to the one adopted before on the same clips."""
    known, withheld = answered.known, answered.withheld
    return Evaluation(
        release=release,
        patients=len(set(answered.patients)),
        clips=len(answered.labels),
        known=int(known.sum()),
        accuracy=_interval(answered, lambda weights: _accuracy(answered, known, weights)),
        balanced_accuracy=_interval(answered, lambda weights: _balanced(answered, known, weights)),
        withheld=int((withheld & known).sum()),
        withheld_unknown=int((withheld & ~known).sum()),
        confusion=_confusion(answered),
        before=_comparison(answered, *before) if before else None,
        coarser=int(answered.coarser.sum()),
    )


def _comparison(answered: Answered, release: str, other: Answered) -> Comparison:
    known = answered.known

    def difference(figure: Figure) -> Interval:
        return _interval(answered, lambda weights: figure(answered, known, weights) - figure(other, known, weights))

    return Comparison(release=release, accuracy=difference(_accuracy), balanced_accuracy=difference(_balanced))


def _confusion(answered: Answered) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {label: Counter() for label in sorted(set(answered.labels))}
    for label, decision in zip(answered.labels, answered.decisions, strict=True):
        counts[label][decision.label if decision.label is not None else WITHHELD] += 1
    return {label: dict(sorted(row.items())) for label, row in counts.items()}


def _interval(answered: Answered, figure: Callable[[Array], Array]) -> Interval:
    """A figure of (draws, n) weights of clips: its value at weight one, and its spread over draws of patients."""
    value = float(figure(np.ones((1, len(answered.labels))))[0])
    if np.isnan(value):
        return Interval(value=None, low=None, high=None)
    if len(set(np.array(answered.patients, dtype=str)[answered.known])) < FEWEST:
        return Interval(value=value, low=None, high=None)
    low, high = np.nanquantile(figure(draws_of(answered.patients)), [0.025, 0.975])
    return Interval(value=value, low=float(low), high=float(high))


def draws_of(patients: Sequence[str]) -> Array:
    """(draws, n) how often each clip's patient is drawn: as many patients as there are, with replacement."""
    names, number = np.unique(np.array(patients, dtype=str), return_inverse=True)
    generator = np.random.default_rng(SEED)
    times = generator.multinomial(names.size, np.full(names.size, 1 / names.size), size=DRAWS)
    return np.asarray(times[:, number], dtype=np.float64)


def _accuracy(answered: Answered, known: Mask, weights: Array) -> Array:
    return _share(weights, answered.right & known, known)


def _balanced(answered: Answered, known: Mask, weights: Array) -> Array:
    """Mean recall over the known labels that a draw holds."""
    labels = np.array(answered.labels, dtype=str)
    classes = np.unique(labels[known])
    if not classes.size:
        return np.full(len(weights), np.nan)
    recalls = np.stack([_share(weights, answered.right & (labels == name), labels == name) for name in classes])
    held = ~np.isnan(recalls)
    total = np.where(held, recalls, 0.0).sum(axis=0)
    return np.divide(total, held.sum(axis=0), out=np.full(len(weights), np.nan), where=held.any(axis=0))


def _share(weights: Array, hits: Mask, among: Mask) -> Array:
    """Weighted share of hits among the chosen; NaN where a draw holds none of them."""
    total = weights[:, among].sum(axis=1)
    return np.divide(weights[:, hits].sum(axis=1), total, out=np.full(len(weights), np.nan), where=total > 0)
