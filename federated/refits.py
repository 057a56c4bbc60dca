"""Fusing again without some sites: what a rule would say of the same images, had only these sites ever been there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from federated.descent import tree_of
from federated.errors import ContractError
from federated.fused_model import FusedModel, Group
from federated.fusion.closed_form import Key, fused
from federated.fusion.experts import Consulted, Pooled
from federated.hierarchy import target
from federated.in_distribution import normalise_in_class
from federated.statistics import Array
from federated.vocabulary import Vocabulary

Columns = NDArray[np.int64]
NOBODY = -1  # the answer of no site at all


class Refit(Protocol):
    """A rule before n images, which can be fitted again to some of its K sites."""

    @property
    def sites(self) -> tuple[str, ...]:
        """All of them."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The C labels of the columns."""
        ...

    def scores(self, present: Collection[str]) -> Array:
        """(n, C) scores of a fit to these sites alone; -inf where a label cannot be answered."""
        ...

    def answers(self, present: Collection[str]) -> Columns:
        """(n,) column of the answer of that fit; -1 where it has none."""
        ...


class ClosedFormRefit:
    """A release's closed form, solved again for any of its sites.

    Everything that is fitted to the sites' sums is fitted again. What cannot be, since it was chosen or counted at the
    sites, stays as the release has it: lambda, gamma and rho, and each remaining site's p-value for the image.
    """

    def __init__(self, model: FusedModel, features: Array, unit: str = "image", weighting: str | None = None) -> None:
        """Before (n, M) features, with the release's weighting where none is named.

        Raises:
            ContractError: a Gram matrix is kept back, or another rule made the release.
        """
        _require_solvable(model)
        self.model, self.features = model, features
        self.weighting = weighting or model.manifest.weighting
        _, acting = model.in_distribution(features, unit)
        self._acting = acting if self.weighting != "none" else np.ones_like(acting)
        self._fused: dict[tuple[Key, tuple[int, ...]], Array] = {}

    @property
    def sites(self) -> tuple[str, ...]:
        """All sites of the release."""
        return self.model.sites

    @property
    def labels(self) -> tuple[str, ...]:
        """The release's."""
        return self.model.labels

    def scores(self, present: Collection[str]) -> Array:
        """(n, C) scores of a fit to these sites alone; -inf for a label that none of them labels."""
        here = np.array([name in present for name in self.sites])
        scores = np.full((len(self.features), len(self.labels)), -np.inf)
        for group in self.model.groups:
            left = Group(group.columns, group.inside & here, group.silent)
            if left.inside.any():
                scores[:, group.columns] = self._scores_of(left, here)
        return scores

    def answers(self, present: Collection[str]) -> Columns:
        """(n,) the best of the labels that these sites hold; -1 for no site at all."""
        held = {label for site in self.model.manifest.sites if site.name in present for label in site.labels}
        columns = [column for column, label in enumerate(self.labels) if label in held]
        if not columns:
            return np.full(len(self.features), NOBODY)
        tree = tree_of(self.model.manifest.vocabulary, tuple(self.labels[column] for column in columns))
        return np.array(columns)[tree.best(self.scores(present)[:, columns])]

    def _scores_of(self, group: Group, here: NDArray[np.bool_]) -> Array:
        """(n, labels of the group) by the systems that the images ask for, of the sites that are here."""
        within = np.where(here, normalise_in_class(self._acting * here, group.inside), 0.0)
        acts = self.weighting in ("refit", "graded")
        levels = within if acts else np.broadcast_to(here.astype(np.float64), within.shape)
        keys = self.model.requested(levels, group, self.weighting if acts else "refit")
        scores = np.zeros((len(self.features), len(group.columns)))
        for key in dict.fromkeys(keys):
            rows = [row for row, wanted in enumerate(keys) if wanted == key]
            scores[rows] = self._of_system(self.features[rows], key, group, within[rows])
        return scores

    def _of_system(self, features: Array, key: Key, group: Group, within: Array) -> Array:
        if self.weighting == "scaled":
            return np.asarray(self.model.part(features, key, group, within, "scaled").sum(axis=1))
        return np.asarray(features @ self._solution(key, group.columns))

    def _solution(self, key: Key, columns: Sequence[int]) -> Array:
        """(M, labels of the group), solved once."""
        name = (key, tuple(columns))
        if name not in self._fused:
            model, labels = self.model, [self.labels[column] for column in columns]
            self._fused[name] = fused(model.counted, key, labels, model.manifest.hyperparameters, model.targets)
        return self._fused[name]


class ExpertsRefit:
    """A rule of experts, made again for any of them; an expert is one of its site alone and stays as it is.

    A rule that is learnt is learnt again: `make` gets the names that are present and returns the rule for what these
    experts say of images. Without learning, it returns the same rule for all.
    """

    def __init__(self, consulted: Consulted, make: Callable[[tuple[str, ...]], Callable[[Consulted], Pooled]]) -> None:
        self.consulted, self._make = consulted, make

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the experts."""
        return self.consulted.names

    @property
    def labels(self) -> tuple[str, ...]:
        """The merged ones of all experts."""
        return self.consulted.merged

    def scores(self, present: Collection[str]) -> Array:
        """(n, G) scores by these experts alone; -inf for a label that none of them knows."""
        scores = np.full((self.consulted.images, len(self.labels)), -np.inf)
        chosen = tuple(name for name in self.sites if name in present)
        if chosen:
            found = self._make(chosen)(_of_experts(self.consulted, chosen))
            scores[:, [self.labels.index(label) for label in found.labels]] = found.scores
        return scores

    def answers(self, present: Collection[str]) -> Columns:
        """(n,) column of the largest score; -1 for no expert at all."""
        scores = self.scores(present)
        return np.where(np.isfinite(scores).any(axis=1), scores.argmax(axis=1), NOBODY)


def _of_experts(consulted: Consulted, chosen: Sequence[str]) -> Consulted:
    places = [consulted.names.index(name) for name in chosen]
    return Consulted(
        tuple(chosen),
        tuple(consulted.labels[place] for place in places),
        consulted.features[:, places],
        tuple(consulted.logits[place] for place in places),
        None if consulted.discrepancy is None else consulted.discrepancy[:, places],
        None if consulted.asked is None else consulted.asked[:, places],
    )


def known(scores: Array) -> Array:
    """Scores with 0 where a label cannot be answered: nobody put anything in."""
    return np.where(np.isfinite(scores), scores, 0.0)


def right_answers(vocabulary: Vocabulary, labels: Sequence[str], truths: Sequence[str]) -> NDArray[np.bool_]:
    """(n, C) which answers are right: the true label, or one below it.

    Raises:
        DataError: the vocabulary does not have a label.
    """
    told = {truth: [target(vocabulary, label, truth) == 1 for label in labels] for truth in set(truths)}
    return np.array([told[truth] for truth in truths], dtype=np.bool_).reshape(len(truths), len(labels))


def is_right(right: NDArray[np.bool_], answers: Columns) -> NDArray[np.bool_]:
    """(n,) whether answers are among the (n, C) right ones; none at all is not."""
    return np.asarray(right[np.arange(len(answers)), answers] & (answers != NOBODY))


def _require_solvable(model: FusedModel) -> None:
    kept = [name for name, block in model.blocks.items() if block.gram is None]
    if kept:
        what = "its Gram matrix is not in the release, so that nothing can be fitted without a site"
        raise ContractError(what, where=", ".join(kept))
    if model.manifest.rule != "closed-form":
        raise ContractError(f"was made by the rule '{model.manifest.rule}', not by the closed form", where="release")
