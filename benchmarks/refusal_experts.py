"""One expert a site, fused in closed form, with every in-distribution score of each, as a problem's patients allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from benchmarks.refusal_data import CHECKED, TRAINED, Problem
from federated.fusion.closed_form import fit
from federated.fusion.selection import select
from federated.in_distribution import Subspace, one_item_a_patient, standard_of, subspace
from federated.in_distribution_scores import (
    IN_USE,
    SCORES,
    WITH_CLASS_DISTANCE,
    Known,
    Look,
    Score,
    fisher_weights,
    largest_elsewhere,
    on_normalised,
    relative,
    standardised,
)
from federated.manifest import Hyperparameters
from federated.release import TEMPERATURES
from federated.report import LEAST_PATIENTS
from federated.statistics import Array, Statistics, from_features

USED = "sum of three (in use)"
WITH_DISTANCE = "sum of four, with class distance"
LEARNED = "these four, Fisher's weights"
NORMALISED = "relative Mahalanobis, unit length"
ELSEWHERE = "largest score of labels taught elsewhere"


@dataclass(frozen=True)
class Experts:
    """All sites' experts, fused.

    Attributes:
        problem: whose training images they learned from.
        taught: labels of each site, of which one may have been left out.
        hyperparameters: of the closed form, by validation statistics.
    """

    problem: Problem
    taught: Mapping[str, tuple[str, ...]]
    hyperparameters: Hyperparameters

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels that somebody teaches."""
        return tuple(sorted({label for held in self.taught.values() for label in held}))

    @cached_property
    def weights(self) -> Array:
        """(M, C) of the fused classifier."""
        blocks = {site: block.spread(self.labels) for site, block in self.blocks(TRAINED).items()}
        return fit(blocks, self.labels, self.hyperparameters)

    @cached_property
    def temperature(self) -> float:
        """Of the grid, that with the least negative log-likelihood of validation images."""
        rows = np.concatenate([self.rows(site, CHECKED) for site in self.taught])
        truth = self.columns(rows)
        scores = self.problem.images.features[rows] @ self.weights
        losses = [-log_softmax(scores / one, axis=1)[np.arange(len(rows)), truth].sum() for one in TEMPERATURES]
        return float(TEMPERATURES[int(np.argmin(losses))])

    @cached_property
    def known(self) -> dict[str, Known]:
        """What each site's scores are fitted on."""
        space = subspace(list(self.blocks(TRAINED, lambda look: look.features).values()))
        found = {site: self.rows(site, TRAINED) for site in self.taught}
        return {site: Known(self.look(rows), self.columns(rows), space) for site, rows in found.items()}

    @cached_property
    def unit_space(self) -> Subspace:
        """The subspace of features of unit length."""
        return subspace(list(self.blocks(TRAINED, lambda look: look.normalised().features).values()))

    def score(self, site: str, name: str) -> Score:
        """One of a site's scores by name."""
        fits = {**SCORES, ELSEWHERE: largest_elsewhere}
        fitted = on_normalised(relative, self.unit_space) if name == NORMALISED else fits[name]
        return fitted(self.known[site])

    def rows(self, site: str, fold: int) -> NDArray[np.int64]:
        """A site's images of a fold, of labels it teaches."""
        return self.problem.rows(site, fold, self.taught[site])

    def elsewhere(self, site: str, fold: int) -> NDArray[np.int64]:
        """Other sites' images of a fold, of labels that this site teaches."""
        others = [one for one in np.unique(self.problem.images.sites).tolist() if one != site]
        return np.concatenate([self.problem.rows(one, fold, self.taught[site]) for one in others])

    def not_here(self, site: str, fold: int) -> NDArray[np.int64]:
        """A site's images of a fold, of labels that only others teach."""
        return self.problem.rows(site, fold, [one for one in self.labels if one not in self.taught[site]])

    def columns(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Columns of the images' labels."""
        return np.searchsorted(np.array(self.labels), self.problem.images.labels[rows])

    def look(self, rows: NDArray[np.int64]) -> Look:
        """Images of the problem."""
        return self.look_at(self.problem.images.features[rows])

    def look_at(self, features: Array) -> Look:
        """(n, M) features, the constant left away, and the fused scores over the temperature."""
        return Look(features[:, :-1], features @ self.weights / self.temperature)

    def blocks(self, fold: int, of: Callable[[Look], Array] | None = None) -> dict[str, Statistics]:
        """Statistics of each site's images of a fold, an image weighing one; a site without any is left out."""
        found = {}
        for site, held in self.taught.items():
            rows = self.rows(site, fold)
            features = self.problem.images.features[rows] if of is None else of(self.look(rows))
            if len(rows):
                found[site] = from_features(features, self.problem.images.labels[rows], np.ones(len(rows)), held)
        return found

    def one_a_patient(self, site: str, fold: int) -> NDArray[np.int64]:
        """One image of each of a site's patients of a fold."""
        rows = self.rows(site, fold)
        return rows[one_item_a_patient(self.problem.images.patients[rows].tolist(), [f"{row:09d}" for row in rows])]


def experts(problem: Problem) -> Experts:
    """The experts of a problem, hyper-parameters by validation statistics."""
    least = Experts(problem, problem.taught, Hyperparameters(mode="shared", ridge=1.0, scatter=0.0, outside=0.0))
    train, checked = least.blocks(TRAINED), least.blocks(CHECKED)
    spread = {site: block.spread(least.labels) for site, block in train.items()}
    chosen = select(spread, {site: checked[site] for site in spread if site in checked}, least.labels)
    return Experts(problem, problem.taught, chosen)


def without(found: Experts, label: str, sites: Sequence[str] | None = None) -> Experts:
    """The same experts, had these sites (all, where none are named) not taught a label."""
    left = {
        site: tuple(one for one in held if one != label or (sites is not None and site not in sites))
        for site, held in found.taught.items()
    }
    return Experts(found.problem, {site: held for site, held in left.items() if held}, found.hyperparameters)


def standard(found: Experts, site: str, scores: Sequence[Score]) -> Array:
    """(d, 2) of a site's validation patients; of all sites' where it has too few."""
    rows = found.one_a_patient(site, CHECKED)
    if len(rows) < LEAST_PATIENTS:
        rows = np.concatenate([found.one_a_patient(one, CHECKED) for one in found.taught])
    look = found.look(rows)
    return standard_of(np.stack([score(look) for score in scores], axis=1))


def z_scores(found: Experts, site: str, names: Sequence[str]) -> Callable[[Look], Array]:
    """(n, d) of some scores, each standardised."""
    scores = [found.score(site, name) for name in names]
    return standardised(scores, standard(found, site, scores))


def learned_weights(found: Experts, names: Sequence[str]) -> Array:
    """(d,) by Fisher's direction between validation images whose label is known and, with it left out, is not.

    Each label in turn is taken from all sites; its validation images are then unknown. Test images take no part.
    """
    known, unknown = [np.zeros((0, len(names)))], [np.zeros((0, len(names)))]
    for label in found.labels:
        fewer = without(found, label)
        for site in fewer.taught:
            asked = found.problem.rows(site, CHECKED, [label] if label in found.taught[site] else [])
            z = z_scores(fewer, site, names)
            known.append(z(fewer.look(fewer.rows(site, CHECKED))))
            unknown.append(z(fewer.look(asked)))
    if sum(map(len, unknown)) <= len(names):
        return np.full(len(names), 1 / len(names))
    return fisher_weights(np.concatenate(known), np.concatenate(unknown))


def contenders(found: Experts) -> dict[str, dict[str, Callable[[Look], Array]]]:
    """Every score to be compared -> site -> (n,) values."""
    weights = learned_weights(found, WITH_CLASS_DISTANCE)
    singles = {name: (name,) for name in (*SCORES, NORMALISED)}
    ways: dict[str, tuple[tuple[str, ...], Array]] = {name: (one, np.ones(1)) for name, one in singles.items()}
    ways[USED] = (IN_USE, np.ones(len(IN_USE)))
    ways[WITH_DISTANCE] = (WITH_CLASS_DISTANCE, np.ones(len(WITH_CLASS_DISTANCE)))
    ways[LEARNED] = (WITH_CLASS_DISTANCE, weights)
    return {name: {site: _sum(found, site, *way) for site in found.taught} for name, way in ways.items()}


def _sum(found: Experts, site: str, names: Sequence[str], weights: Array) -> Callable[[Look], Array]:
    z = z_scores(found, site, names)
    return lambda look: np.asarray(z(look) @ weights)
