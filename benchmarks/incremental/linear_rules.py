"""Rules that are linear in the features and come from statistics alone: ridges, class means, one covariance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.incremental.closed_form import clip_rows, site_input, statistics_bytes
from benchmarks.incremental.contestant import Answered, Contestant, Fold, Site, Start
from benchmarks.incremental.probabilities import answered, best_temperature
from federated.clips import clip_means
from federated.fusion.closed_form import held_labels
from federated.fusion.discriminant import tuned_discriminant
from federated.fusion.linear_rule import LinearRule
from federated.fusion.nearest_mean import nearest_class_mean
from federated.fusion.ridge import joint_ridge, masked_ridge
from federated.fusion.scattered_discriminant import tuned_scattered_discriminant
from federated.fusion.targets import Targets, targets_of
from federated.local_fold import LocalFold
from federated.release import SiteInput
from federated.statistics import Array, Statistics

Blocks = Mapping[str, Statistics]
Fit = Callable[[Blocks, Blocks, Sequence[str], Targets], LinearRule]
SEED = 1993  # of the lift


class Linear:
    """One of these rules, on the front end's features or on these with random ones beside them (RanPAC)."""

    def __init__(self, start: Start, *, fit: Fit, lifted: bool = False, gram: bool = True) -> None:
        self.start, self.fit, self.lifted, self.gram = start, fit, lifted, gram
        self.sites: list[Site] = []
        self.inputs: dict[str, SiteInput] = {}
        self.up: Counter[str] = Counter()
        self.rule: LinearRule | None = None
        self.temperature = 1.0

    def arrive(self, site: Site) -> float:
        """A site sends its statistics, and everybody the likelihoods by temperature."""
        self.sites.append(site)
        self.inputs[site.name] = site_input(self._seen(site), self.start.vocabulary)
        self.up[site.name] += statistics_bytes(self.inputs[site.name], gram=self.gram)
        blocks = {name: given.train for name, given in self.inputs.items()}
        checks = {name: given.validation for name, given in self.inputs.items() if given.validation is not None}
        held = {label for block in blocks.values() for label in held_labels(block)}
        labels = tuple(code for code in self.start.vocabulary.codes if code in held)
        wide = {name: block.spread(labels) for name, block in blocks.items()}
        narrow = {name: block.spread(labels) for name, block in checks.items()}
        self.rule = self.fit(wide, narrow, labels, targets_of(self.start.vocabulary, labels))
        self.temperature = best_temperature(
            self.start.vocabulary, self.rule.labels, self.sites, self._scores, exclusive=False
        )
        return 0.0

    def _seen(self, site: Site) -> Site:
        """The site with the features that the rule reads."""
        return Site(site.name, {name: Fold(fold.images, self._lift(fold.local)) for name, fold in site.folds.items()})

    def _lift(self, local: LocalFold) -> LocalFold:
        from shared_models.lift import lift_features

        return replace(local, features=lift_features(local.features, seed=SEED)) if self.lifted else local

    def _scores(self, fold: Fold, site: str) -> Array:  # noqa: ARG002
        assert self.rule is not None
        return self.rule.scores(self._lift(fold.local).features)

    def answer(self, fold: Fold, site: str) -> Answered:  # noqa: ARG002
        """Frames of a clip are answered by their mean features."""
        assert self.rule is not None
        rows, local = clip_rows(fold.local), self._lift(fold.local)
        features = clip_means(local.features, local.clips)
        arrival = [self.rule.sites.index(site.name) for site in self.sites]
        return answered(
            self.start.vocabulary,
            self.rule.labels,
            self.rule.scores(features)[rows],
            self.temperature,
            weights=np.ones((rows.size, len(self.sites))),
            contributions=self.rule.contributions(features)[:, arrival][rows],
            exclusive=False,
        )

    def sent(self) -> Mapping[str, int]:
        """Statistics."""
        return self.up

    def received(self) -> Mapping[str, int]:
        """Nothing but releases."""
        return dict.fromkeys(self.up, 0)


def _means(blocks: Blocks, _: Blocks, labels: Sequence[str], targets: Targets) -> LinearRule:
    return nearest_class_mean(blocks, labels, targets)


JOINT_RIDGE = "joint ridge (AFL)"
SCATTERED = "discriminant with scatter"
RULES: dict[str, Callable[[Start], Contestant]] = {
    JOINT_RIDGE: partial(Linear, fit=joint_ridge),
    "masked ridge": partial(Linear, fit=masked_ridge),
    "nearest class mean": partial(Linear, fit=_means, gram=False),
    "streaming LDA": partial(Linear, fit=tuned_discriminant),
    SCATTERED: partial(Linear, fit=tuned_scattered_discriminant),
    "random projection ridge (RanPAC)": partial(Linear, fit=joint_ridge, lifted=True),
}
