"""The source paper's fusion on the shared front end: site heads frozen, cross heads and gate learnt from all features.

On one front end every expert has the same features h, and its discrepancy is h less the mean of its site's training
images. At every arrival the fusion is built anew for one expert more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from benchmarks.incremental.contestant import Answered, Contestant, Fold, Site, Start
from benchmarks.incremental.heads import FLOAT, consulted, head_bytes, head_of
from benchmarks.incremental.probabilities import answered, best_temperature
from deploy.demo.baselines import Head
from federated.fusion.experts import Consulted, Pooled
from federated.fusion.gated import GatedModel, GatedShape, Reads
from federated.local_fold import LocalFold
from federated.statistics import Array

if TYPE_CHECKING:
    from shared_models.consultation import Lesson

CrossHeads = Literal["trained", "closed form"]


class Gated:
    """One gate; which site an image comes from is told to nobody."""

    def __init__(self, start: Start, *, reads: Reads, cross_heads: CrossHeads = "trained") -> None:
        self.start, self.reads, self.cross_heads = start, reads, cross_heads
        self.sites: list[Site] = []
        self.heads: dict[str, Head] = {}
        self.means: dict[str, Array] = {}
        self.model: GatedModel | None = None
        self.temperature = 1.0

    def arrive(self, site: Site) -> float:
        """Its head, then the fusion on everybody's features."""
        self.sites.append(site)
        self.heads[site.name], seconds = head_of(self.start, site)
        local = site.folds["train"].local
        self.means[site.name] = np.average(local.features, axis=0, weights=local.weights)
        self.model = self._trained()
        labels = self._consulted(local.features[:1]).merged
        self.temperature = best_temperature(self.start.vocabulary, labels, self.sites, self._scores)
        return seconds

    def _trained(self) -> GatedModel:
        from shared_models.gate import paper_recipe, train_gate

        setting = self.start.setting
        recipe = replace(
            paper_recipe(self.start.seed),
            epochs=setting.fusion_epochs,
            batch=setting.batch,
            samples_an_epoch=setting.fusion_samples,
        )
        lesson, validation = self._lesson("train"), self._lesson("validation")
        state = train_gate(lesson, validation, self.reads, recipe, cross_heads=self.cross_heads)
        width = lesson.consulted.features.shape[2]
        means = width if self.reads == "discrepancy" else 0
        shape = GatedShape(tuple(self.heads), lesson.consulted.labels, self.reads, width, means)
        return GatedModel.from_tensors(shape, state)

    def _lesson(self, fold: str) -> Lesson:
        from shared_models.consultation import Lesson

        locals_ = [self._known(site.folds[fold].local) for site in self.sites]
        said = self._consulted(np.concatenate([local.features for local in locals_]))
        answers = [said.merged.index(label) for local in locals_ for label in local.labels]
        weights = np.concatenate([local.weights for local in locals_])
        return Lesson(said, np.array(answers, dtype=np.int64), weights)

    def _known(self, local: LocalFold) -> LocalFold:
        held = {label for head in self.heads.values() for label in head.labels}
        return local.rows([row for row, label in enumerate(local.labels) if label in held])

    def _consulted(self, features: Array) -> Consulted:
        return consulted(self.heads, features, self.means if self.reads == "discrepancy" else None)

    def _pooled(self, fold: Fold) -> Pooled:
        assert self.model is not None
        return self.model.answer(self._consulted(fold.local.features))

    def _scores(self, fold: Fold, site: str) -> Array:  # noqa: ARG002
        return self._pooled(fold).scores

    def answer(self, fold: Fold, site: str) -> Answered:  # noqa: ARG002
        """The pooled stacks of all experts."""
        pooled = self._pooled(fold)
        return answered(
            self.start.vocabulary,
            pooled.labels,
            pooled.scores,
            self.temperature,
            weights=pooled.weights,
            contributions=pooled.contributions,
        )

    def sent(self) -> Mapping[str, int]:
        """Its head, and the features of its training and validation images, which on one front end are sent once."""
        return {site.name: head_bytes(self.heads[site.name]) + _feature_bytes(site) for site in self.sites}

    def received(self) -> Mapping[str, int]:
        """The heads of all others."""
        total = sum(map(head_bytes, self.heads.values()))
        return {name: total - head_bytes(head) for name, head in self.heads.items()}


def _feature_bytes(site: Site) -> int:
    return FLOAT * sum(site.folds[fold].local.features.size for fold in ("train", "validation"))


GATED = "gated fusion of site heads (features)"
GATES: dict[str, Callable[[Start], Contestant]] = {
    GATED: partial(Gated, reads="features"),
    "gated fusion of site heads (discrepancy)": partial(Gated, reads="discrepancy"),
    "cross heads without a gate": partial(Gated, reads="none"),
    "gated fusion, cross heads in closed form": partial(Gated, reads="features", cross_heads="closed form"),
}
