"""Who sees everything: judges each release on every site's held-back clips, beside rows that no federation needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deploy.demo.baselines import (
    JOINT,
    SEQUENTIAL,
    Head,
    SiteFolds,
    held_back,
    most_frequent,
    one_head,
    site_alone,
    train,
)
from deploy.demo.evaluation import Answers, Figures, HeldBack, Interval, difference, figures, pair_kinds
from deploy.demo.results import Incremental, Part
from deploy.demo.table import FUSED
from federated.decision import Decision
from federated.fused_model import FusedModel
from federated.hierarchy import ancestors
from federated.metrics import incremental
from federated.vocabulary import Vocabulary


class Onlooker:
    """Keeps, over all arrivals, the heads of the rows beside.

    Args:
        sites: every site that arrives, in that order.
        testing: sites whose images only test.

    Attributes:
        held: the held-back clips of all sites.
        decisions: the last release's answers to every held-back image, and to every clip.
    """

    def __init__(self, sites: Sequence[SiteFolds], testing: Sequence[SiteFolds] = ()) -> None:
        self.sites, self.testing = (*sites, *testing), tuple(site.name for site in testing)
        self.held = held_back(self.sites)
        self.arrived: list[SiteFolds] = []
        self._heads: dict[str, Head] = {}
        self._sequential: Head | None = None
        self._rows: list[dict[str, Figures]] = []
        self.decisions: list[Decision] = []

    @property
    def taught(self) -> dict[str, tuple[str, ...]]:
        """Labels of the training images of the sites that have arrived."""
        return {site.name: tuple(sorted(set(site.train.labels))) for site in self.arrived}

    def judge(self, model: FusedModel, site: str) -> tuple[tuple[Figures, ...], Interval]:
        """All rows after the arrival of a site, and the fused experts' accuracy minus that of joint training."""
        self._arrive(next(one for one in self.sites if one.name == site))
        self.decisions = [decision for one in self.sites for decision in _decide(model, one)]
        fused, joint = _forced(self.decisions), one_head(JOINT, train(self.arrived), self.sites)
        assert self._sequential is not None
        rows_of = (
            fused,
            most_frequent(self.arrived, self.sites),
            site_alone(self._heads, self.sites),
            one_head(SEQUENTIAL, self._sequential, self.sites),
            joint,
        )
        answers = tuple(as_deep_as(row, self.held, model.manifest.vocabulary) for row in rows_of)
        names = [one.name for one in self.sites]
        rows = tuple(figures(self.held, answer, self.taught, names, self.testing) for answer in answers)
        self._rows.append({row.method: row for row in rows})
        known = np.array(pair_kinds(self.held, self.taught)) != "unknown"
        return rows, difference(self.held, answers[0], answers[-1], self.held.at(list(self.taught)) & known)

    def _arrive(self, site: SiteFolds) -> None:
        self.arrived.append(site)
        self._heads[site.name] = train([site])
        self._sequential = train([site], start=self._sequential)

    def over_arrivals(self) -> tuple[Incremental, ...]:
        """Metrics of every method on the labels that each site taught, for sites with held-back clips of those."""
        return tuple(self._over_arrivals(method) for method in (self._rows[0] if self._rows else ()))

    def _over_arrivals(self, method: str) -> Incremental:
        names = [site.name for site in self.arrived]
        own = [[rows[method].site_own[name] for name in names] for rows in self._rows]
        matrix = np.array([[np.nan if value is None else value for value in row] for row in own], dtype=float)
        found = incremental(matrix)
        forgetting = found.forgetting if len(names) > 1 else float("nan")
        return Incremental(
            method=method, average=_or_none(found.average), last=_or_none(found.last), forgetting=_or_none(forgetting)
        )

    def parts(self) -> tuple[Part, ...]:
        """Mean weight and contribution of each site in the last release's answers to held-back clips of each label."""
        clips = [decision for decision in self.decisions if decision.image is None]
        sites, labels = (tuple(values) for values in (clips[0].weights, clips[0].scores))
        return tuple(
            _part(site, label, [d for d, truth in zip(clips, self.held.labels, strict=True) if truth == label])
            for site in sites
            for label in labels
        )


def _decide(model: FusedModel, site: SiteFolds) -> list[Decision]:
    clips = [f"{site.name}/{clip}" for clip in site.test.clips]
    return model.decide(site.test.features, site.test_images, clips) if clips else []


def _forced(decisions: Sequence[Decision]) -> Answers:
    clips = [decision for decision in decisions if decision.image is None]
    return Answers(FUSED, tuple(one.best for one in clips), tuple(one.abstained for one in clips))


def as_deep_as(answers: Answers, held: HeldBack, vocabulary: Vocabulary) -> Answers:
    """A coarse true label is met by an answer below it, which is told as that label."""
    known = set(vocabulary.codes)
    labels = tuple(
        true if answer in known and true in known and true in ancestors(vocabulary, str(answer)) else answer
        for answer, true in zip(answers.labels, held.labels, strict=True)
    )
    return replace(answers, labels=labels)


def _part(site: str, label: str, clips: Sequence[Decision]) -> Part:
    weight = float(np.mean([one.weights[site] for one in clips])) if clips else None
    contribution = float(np.mean([one.contributions[label][site] for one in clips])) if clips else None
    return Part(site=site, label=label, weight=weight, contribution=contribution, clips=len(clips))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
