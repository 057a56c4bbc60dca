"""In-distribution scores side by side: a function each, called once to fit and then on images; larger is more inside.

`fit(known)` takes what a site has learned from and returns `score(look)`, which gives (n,) numbers for n images.
In the formulas h is an image's features, z its coordinates in the subspace of all sites, f its C logits and p
their softmax; c runs over the site's own classes and mu_c is their mean.

What a score needs decides where it can be computed: the discrepancies, distances and ratios from means and covariances,
which a site may share; energy, softmax and GEN from the model alone; nearest neighbours from every training image's
features, so that this one cannot leave its site.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import logsumexp, softmax

from federated.in_distribution import (
    QUADRATIC,
    Subspace,
    class_covariance,
    class_distances,
    quadratic_ratio,
    relative_mahalanobis,
    shrunk_covariance,
)
from federated.statistics import Array

NEIGHBOUR = 10  # the k-th nearest
GEN_POWER, GEN_CLASSES = 0.1, 100  # gamma and M of GEN
FEW_DIRECTIONS = 30
FISHER_SHRINKAGE = 0.1  # of variances of one


@dataclass(frozen=True)
class Look:
    """n images: (n, M) features, and (n, C) logits, of a network or fused scores over their temperature."""

    features: Array
    logits: Array

    def normalised(self) -> Look:
        """The same with features of unit length."""
        return replace(self, features=_unit(self.features))


@dataclass(frozen=True)
class Known:
    """What one site's scores are fitted on.

    Attributes:
        look: its n training images.
        classes: (n,) the logits' columns that are right for them.
        space: the subspace of all sites' images.
    """

    look: Look
    classes: NDArray[np.int64]
    space: Subspace

    @property
    def own(self) -> NDArray[np.int64]:
        """Columns of the site's classes."""
        return np.unique(self.classes)

    @property
    def means(self) -> Array:
        """(own classes, r) class means in the subspace."""
        coordinates = self.space.project(self.look.features)
        return np.stack([coordinates[self.classes == one].mean(axis=0) for one in self.own])

    @property
    def covariances(self) -> Array:
        """(own classes, q, q) in the leading q directions, pulled towards the one of all where images are few."""
        return np.stack([self._covariance(one, mean) for one, mean in zip(self.own, self.means, strict=True)])

    def _covariance(self, column: int, mean: Array) -> Array:
        features = self.look.features[self.classes == column]
        own = class_covariance(self.space, features, mean, np.ones(len(features)))
        return shrunk_covariance(self.space, own, len(features))


Score = Callable[[Look], Array]
Fit = Callable[[Known], Score]


def neural_mean_discrepancy(known: Known) -> Score:
    """-|g|, g = h - mean of the training images' h (Dong et al., CVPR 2022): h are means of a network's channels."""
    mean = known.look.features.mean(axis=0)
    return lambda look: -_norm(look.features - mean)


def whitened_discrepancy(known: Known) -> Score:
    """-|g / sigma|, sigma the standard deviation of each feature over the training images."""
    mean, deviation = known.look.features.mean(axis=0), known.look.features.std(axis=0)
    varying = deviation > 1e-9 * max(float(deviation.max()), 1e-300)
    return lambda look: -_norm((look.features - mean)[:, varying] / deviation[varying])


def mahalanobis(known: Known) -> Score:
    """-min_c (z - mu_c)^T S_W^-1 (z - mu_c), S_W within the classes of all sites (Lee et al., NeurIPS 2018)."""
    factor, means = np.linalg.cholesky(np.linalg.inv(known.space.within)), known.means
    return lambda look: -_nearest(known.space.project(look.features) @ factor, means @ factor)


def relative(known: Known) -> Score:
    """z^T S_T^-1 z - min_c (z - mu_c)^T S_W^-1 (z - mu_c) (Ren et al., arXiv 2106.09022), S_T of all images."""
    means = known.means
    return lambda look: relative_mahalanobis(known.space, known.space.project(look.features), means)


def quadratic(known: Known) -> Score:
    """z^T S_T^-1 z + log|S_T| - min_c [ (z - mu_c)^T S_c^-1 (z - mu_c) + log|S_c| ] in the leading 60 directions."""
    means, covariances = known.means, known.covariances
    return lambda look: quadratic_ratio(known.space, known.space.project(look.features), means, covariances)


def class_distance(known: Known) -> Score:
    """-min_c [ (z - mu_c)^T S_c^-1 (z - mu_c) + log|S_c| ] in the leading 30 directions: nothing set against it."""
    size = min(FEW_DIRECTIONS, QUADRATIC, known.space.size)
    means, covariances = known.means[:, :size], known.covariances[:, :size, :size]
    return lambda look: -class_distances(known.space.project(look.features)[:, :size], means, covariances).min(axis=1)


def nearest_neighbour(known: Known) -> Score:
    """-|u - u_(k)|, u = h / |h|, u_(k) the k-th nearest training image (Sun et al., ICML 2022)."""
    trained = _unit(known.look.features)
    rank = min(NEIGHBOUR, len(trained)) - 1
    return lambda look: -np.sqrt(np.partition(_squares(_unit(look.features), trained), rank, axis=1)[:, rank])


def energy(known: Known) -> Score:  # noqa: ARG001
    """Free energy: log sum_c exp f_c over all columns (Liu et al., NeurIPS 2020); the temperature is in the logits."""
    return lambda look: np.asarray(logsumexp(look.logits, axis=1))


def max_softmax(known: Known) -> Score:  # noqa: ARG001
    """max_c p_c, over all columns (Hendrycks and Gimpel, ICLR 2017)."""
    return lambda look: np.asarray(softmax(look.logits, axis=1).max(axis=1))


def generalised_entropy(known: Known) -> Score:  # noqa: ARG001
    """-sum over the M largest p of p^gamma (1 - p)^gamma (GEN; Liu et al., CVPR 2023)."""

    def score(look: Look) -> Array:
        p = np.sort(softmax(look.logits, axis=1), axis=1)[:, -GEN_CLASSES:]
        return -np.asarray((p**GEN_POWER * np.maximum(1 - p, 0) ** GEN_POWER).sum(axis=1))

    return score


def largest_own(known: Known) -> Score:
    """max_c f_c over the site's own classes."""
    return lambda look: np.asarray(look.logits[:, known.own].max(axis=1))


def largest_elsewhere(known: Known) -> Score:
    """max_c f_c over the classes that only other sites label; -inf where there is none."""
    return lambda look: np.delete(look.logits, known.own, axis=1).max(axis=1, initial=-np.inf)


def on_normalised(fit: Fit, space: Subspace) -> Fit:
    """The same score on features of unit length, with the subspace of such features (Mueller and Hein, ICML 2025)."""

    def fitted(known: Known) -> Score:
        score = fit(Known(known.look.normalised(), known.classes, space))
        return lambda look: score(look.normalised())

    return fitted


SCORES: Mapping[str, Fit] = {
    "neural mean discrepancy": neural_mean_discrepancy,
    "neural mean discrepancy, whitened": whitened_discrepancy,
    "Mahalanobis": mahalanobis,
    "relative Mahalanobis": relative,
    "nearest neighbour": nearest_neighbour,
    "energy": energy,
    "max-softmax": max_softmax,
    "GEN": generalised_entropy,
    "quadratic ratio": quadratic,
    "class distance": class_distance,
    "largest own score": largest_own,
}
IN_USE = ("relative Mahalanobis", "quadratic ratio", "largest own score")
WITH_CLASS_DISTANCE = (*IN_USE, "class distance")


def standardised(scores: Sequence[Score], standard: Array) -> Callable[[Look], Array]:
    """(n, d) z-scores of d scores, with (d, 2) means and deviations over a site's validation images."""
    return lambda look: (_stacked(scores, look) - standard[:, 0]) / standard[:, 1]


def fisher_weights(known: Array, unknown: Array) -> Array:
    """(d,) weights w >= 0 adding up to one, of (n, d) z-scores of known and (m, d) of unknown images.

    Fisher's direction S w = delta with no score turned against itself: w = argmin over w >= 0 of w^T S w - 2 w^T delta,
    S the mean of both covariances, delta the difference of both means. Equal weights where no score tells them apart.
    """
    size = known.shape[1]
    delta = known.mean(axis=0) - unknown.mean(axis=0)
    spread = (np.atleast_2d(np.cov(known.T)) + np.atleast_2d(np.cov(unknown.T))) / 2 + FISHER_SHRINKAGE * np.eye(size)
    factor = np.linalg.cholesky(spread)
    weights = nnls(factor.T, np.linalg.solve(factor, delta))[0]
    return np.asarray(weights / weights.sum()) if weights.sum() > 0 else np.full(size, 1 / size)


def boundary(one: Array, other: Array) -> float:
    """Between the means of two samples, as many of their standard deviations from either: (s2 m1 + s1 m2) / (s1 + s2).

    With z(own class) - z(relative Mahalanobis): an image of another machine is farther off than its class score
    explains, one of another class is not. With `largest_elsewhere`: what another site labels, and what nobody does.
    """
    spread = max(float(one.std() + other.std()), 1e-300)
    return float((other.std() * one.mean() + one.std() * other.mean()) / spread)


def _stacked(scores: Sequence[Score], look: Look) -> Array:
    return np.stack([score(look) for score in scores], axis=1)


def _norm(rows: Array) -> Array:
    return np.asarray(np.sqrt((rows**2).sum(axis=1)))


def _unit(rows: Array) -> Array:
    return np.asarray(rows / np.maximum(_norm(rows), 1e-300)[:, None])


def _nearest(rows: Array, means: Array) -> Array:
    return np.asarray(_squares(rows, means).min(axis=1))


def _squares(rows: Array, others: Array) -> Array:
    """(n, m) squared distances; rounding never makes one negative."""
    squares = (rows**2).sum(axis=1)[:, None] - 2 * rows @ others.T + (others**2).sum(axis=1)
    return np.asarray(np.maximum(squares, 0.0))
