"""What changes when a site is really left out: scores, answers, accuracy; beside what is displayed of it.

Influence is told by a refit and by nothing else (method page, section 3): a site may have put much into a score that
would be the same without it, and a site that puts nothing into a label moves it through the outside weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federated.faithfulness import Faithfulness, faithfulness
from federated.fused_model import FusedModel
from federated.manifest import Frozen
from federated.refits import NOBODY, Columns, Refit, is_right, known
from federated.statistics import Array


@dataclass(frozen=True)
class Removal:
    """The rule fitted again without each site in turn, before the same n images.

    Attributes:
        answered: (n,) column of the answer with every site there.
        effects: (n, K, C) score without the site minus score with it; 0 where neither knows the label, and a score
            counts as 0 where it cannot be answered.
        without: (n, K) column of the answer without each site; -1 where there is none.
    """

    answered: Columns
    effects: Array
    without: Columns

    @property
    def of_answer(self) -> Array:
        """(n, K) effects on the score of the label that was answered."""
        return of_answer(self.effects, self.answered)


@dataclass(frozen=True)
class Displayed:
    """What a release shows of each site: (n, K) contribution to the answer, share of its evidence, acting weight."""

    contribution: Array
    evidence: Array
    weight: Array


class AnswerInfluence(Frozen):
    """Means over the answers with one label: what one site put in, and what it changes.

    Attributes:
        removal: score without the site minus score with it.
        shapley: of the score, over refitted coalitions; None where there are too many sites.
        changed: answers that become another label without the site.
    """

    label: str
    answers: int
    site: str
    contribution: float
    evidence: float
    removal: float
    shapley: float | None
    changed: int


class Faithful(Frozen):
    """How faithfully one of the displayed figures tells the effect of removal."""

    displayed: str
    against: str
    faithfulness: Faithfulness


class Withdrawn(Frozen):
    """Images of one site with one label, before and after a site is withdrawn.

    `site` is the one withdrawn; `accuracy` is the share of right answers.
    """

    site: str
    images_of: str
    label: str
    images: int
    accuracy_before: float
    accuracy_after: float
    changed: int


class ChangedLabel(Frozen):
    """An answer that becomes another without a site; `after` is None where nobody is left."""

    site: str
    image: str
    before: str
    after: str | None


def removal(refit: Refit) -> Removal:
    """Each of the K sites left out in turn: K + 1 fits."""
    everybody = known(refit.scores(refit.sites))
    effects, without = [], []
    for left_out in refit.sites:
        rest = tuple(name for name in refit.sites if name != left_out)
        effects.append(known(refit.scores(rest)) - everybody)
        without.append(refit.answers(rest))
    return Removal(refit.answers(refit.sites), np.stack(effects, axis=1), np.stack(without, axis=1))


def of_answer(by_label: Array, answered: Columns) -> Array:
    """(n, K) of (n, K, C), for the label that each image was answered with."""
    return np.asarray(by_label[np.arange(len(answered)), :, answered])


def displayed(model: FusedModel, features: Array, unit: str = "image", weighting: str | None = None) -> Displayed:
    """What a release shows of its sites beside each of its answers; `prior` and the like are nobody's."""
    answers = model.answer(features, unit, weighting)
    shares = [[evidence.get(name, 0.0) for name in model.sites] for evidence in answers.evidence]
    evidence = np.array(shares, dtype=np.float64).reshape(len(shares), len(model.sites))
    return Displayed(of_answer(answers.contributions, model.tree.best(answers.scores)), evidence, answers.weights)


def answer_influences(
    labels: Sequence[str], sites: Sequence[str], shown: Displayed, removed: Removal, shapley: Array | None
) -> list[AnswerInfluence]:
    """One row for every label that was answered and every site; `shapley` is (K, n) of the score of the answer."""
    effects = removed.of_answer
    rows = []
    for column in np.unique(removed.answered).tolist():
        chosen = removed.answered == column
        for index, site in enumerate(sites):
            row = AnswerInfluence(
                label=labels[column],
                answers=int(chosen.sum()),
                site=site,
                contribution=float(shown.contribution[chosen, index].mean()),
                evidence=float(shown.evidence[chosen, index].mean()),
                removal=float(effects[chosen, index].mean()),
                shapley=None if shapley is None else float(shapley[index, chosen].mean()),
                changed=int((removed.without[chosen, index] != column).sum()),
            )
            rows.append(row)
    return rows


def faithful_displays(shown: Displayed, removed: Removal, patients: Sequence[str]) -> list[Faithful]:
    """Contribution, evidence and weight, each against the fall of the answer's score and the size of its change."""
    effects = removed.of_answer
    figures = {"contribution": shown.contribution, "evidence": shown.evidence, "weight": shown.weight}
    return [
        Faithful(displayed=name, against=against, faithfulness=faithfulness(figure, effects, patients, against=against))
        for name, figure in figures.items()
        for against in ("drop", "size")
    ]


def withdrawals(
    refit: Refit, removed: Removal, right: NDArray[np.bool_], images_of: Sequence[str], truths: Sequence[str]
) -> list[Withdrawn]:
    """Every site withdrawn in turn: accuracy by the site and label of the images, before and after.

    Args:
        refit: before n images.
        removed: the same rule without each site.
        right: (n, C) which answers are right.
        images_of: n names of the sites whose images they are.
        truths: n true labels.
    """
    before = is_right(right, removed.answered)
    cells = sorted(set(zip(images_of, truths, strict=True)))
    rows = []
    for index, site in enumerate(refit.sites):
        answers = removed.without[:, index]
        after = is_right(right, answers)
        for cell in cells:
            chosen = np.array([found == cell for found in zip(images_of, truths, strict=True)])
            row = Withdrawn(
                site=site,
                images_of=cell[0],
                label=cell[1],
                images=int(chosen.sum()),
                accuracy_before=float(before[chosen].mean()),
                accuracy_after=float(after[chosen].mean()),
                changed=int((answers != removed.answered)[chosen].sum()),
            )
            rows.append(row)
    return rows


def changed_labels(refit: Refit, removed: Removal, images: Sequence[str]) -> list[ChangedLabel]:
    """Which answers to n named images become others, by the site that is withdrawn."""
    return [
        ChangedLabel(
            site=site,
            image=images[row],
            before=refit.labels[removed.answered[row]],
            after=None if removed.without[row, index] == NOBODY else refit.labels[removed.without[row, index]],
        )
        for index, site in enumerate(refit.sites)
        for row in np.flatnonzero(removed.without[:, index] != removed.answered).tolist()
    ]
