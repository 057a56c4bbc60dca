"""How in-distribution an image is for each site: scores, conformal p-values by patient, weights, abstention.

Three scores a site (method page, section 4), each standardised over that site's validation patients and
added: relative Mahalanobis (Ren et al., arXiv 2106.09022), the quadratic ratio of class covariances, and the largest
own-class score. Their sum is calibrated by split conformal prediction with one item a patient, so that an
exchangeable image of any site is wrongly refused with probability at most alpha.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, eigh

from federated.statistics import Array, Statistics

MAX_SUBSPACE = 256
SMALL_PART = 2.5  # directions left out for each that is kept, from which on seeking a part takes less time
QUADRATIC = 60
SHRINKAGE = 0.05
BINS = np.linspace(-40.0, 40.0, 321)  # coarse, since most hold one patient
ALONE = "own"
POOLED = "pooled"


@dataclass(frozen=True)
class Subspace:
    """Leading eigendirections of the summed scatter, in which distances are taken.

    Attributes:
        center: (M,), the mean image m.
        basis: (M, r), orthonormal.
        total: (r,), shrunk eigenvalues of S_T.
        within: (r, r), shrunk S_W in the basis.
    """

    center: Array
    basis: Array
    total: Array
    within: Array

    @property
    def size(self) -> int:
        """Number of directions, r."""
        return int(self.basis.shape[1])

    def project(self, features: Array) -> Array:
        """(n, M) features to (n, r) coordinates."""
        return (features - self.center) @ self.basis


def subspace(blocks: Sequence[Statistics]) -> Subspace:
    """Subspace of the sites that add their Gram matrix; where none does, of the class means with equal variances."""
    with_gram = [block for block in blocks if block.gram is not None]
    chosen = with_gram or list(blocks)
    weight = float(sum(block.weights.sum() for block in chosen))
    center = np.sum([block.class_sums.sum(axis=1) for block in chosen], axis=0) / weight
    between = _between(chosen, center) / weight
    if with_gram:
        grams = [block.gram for block in with_gram if block.gram is not None]
        total = np.sum(grams, axis=0) / weight - np.outer(center, center)
    else:
        total = between + np.eye(between.shape[0]) * (np.trace(between) / between.shape[0])
    size = min(MAX_SUBSPACE, total.shape[0])
    values, vectors = _largest(total, size)
    keep = values > 1e-10 * max(values[-1], 1e-300)
    values, basis = values[keep][::-1], _fix_signs(vectors[:, keep][:, ::-1])
    within = basis.T @ (total - between) @ basis
    return Subspace(center, basis, shrunk(np.diag(values)).diagonal().copy(), shrunk(within))


def _largest(total: Array, size: int) -> tuple[Array, Array]:
    """The largest eigenvalues, ascending, with their vectors.

    A part is sought only where it is a small one: dividing and conquering finds all of them in half the time, and where
    no Gram matrix is given most of them are the same number, in which LAPACK may find no end to a part of them.
    """
    first = total.shape[0] - size
    if first >= SMALL_PART * size:
        with suppress(LinAlgError):
            values, vectors = eigh(total, subset_by_index=(first, total.shape[0] - 1))
            return values, vectors
    values, vectors = (found[..., -size:] for found in eigh(total, driver="evd"))
    return values, vectors


def _between(blocks: Sequence[Statistics], center: Array) -> Array:
    """Sum over sites and classes of n_kc (mu_kc - m)(mu_kc - m)^T; the rest of the total is within site and class."""
    columns = [
        np.sqrt(block.weights[c]) * (block.class_sums[:, c] / block.weights[c] - center)
        for block in blocks
        for c in np.flatnonzero(block.weights > 0)
    ]
    stacked = np.stack(columns, axis=1)
    return np.asarray(stacked @ stacked.T)


def _fix_signs(vectors: Array) -> Array:
    """The largest entry of each column positive, so that equal inputs give equal bytes."""
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    return np.ascontiguousarray(vectors * np.where(largest < 0, -1.0, 1.0))


def shrunk(matrix: Array, amount: float = SHRINKAGE) -> Array:
    """(M, M) S to (1 - e) S + e (tr S / M) I."""
    size = matrix.shape[0]
    symmetric = (matrix + matrix.T) / 2
    return np.asarray((1 - amount) * symmetric + amount * max(np.trace(symmetric) / size, 1e-12) * np.eye(size))


def relative_mahalanobis(space: Subspace, coordinates: Array, means: Array) -> Array:
    """(n,) RMDS of one site with (C, r) class means in the subspace; larger is more in-distribution."""
    difference = coordinates[:, None, :] - means[None, :, :]
    solved = np.linalg.solve(space.within, difference.reshape(-1, space.size).T).T.reshape(difference.shape)
    nearest = np.einsum("ncr,ncr->nc", difference, solved).min(axis=1)
    return np.asarray((coordinates**2 / space.total).sum(axis=1) - nearest)


def quadratic_ratio(space: Subspace, coordinates: Array, means: Array, covariances: Array) -> Array:
    """(n,) total distance minus the least class distance with (C, q, q) covariances, in the leading q directions."""
    size = covariances.shape[1]
    lead, total = coordinates[:, :size], space.total[:size]
    background = (lead**2 / total).sum(axis=1) + np.log(total).sum()
    return np.asarray(background - class_distances(lead, means[:, :size], covariances).min(axis=1))


def class_distances(coordinates: Array, means: Array, covariances: Array) -> Array:
    """(n, C) distances of (n, q) coordinates to each class with log-determinant: -2 log density, but for a constant."""
    own = np.full((len(coordinates), len(means)), np.inf)
    for column, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        factor = np.linalg.cholesky(covariance)
        solved = np.linalg.solve(factor, (coordinates - mean).T)
        own[:, column] = (solved**2).sum(axis=0) + 2 * np.log(np.diag(factor)).sum()
    return own


def shrunk_covariance(space: Subspace, own: Array | None, patients: int) -> Array:
    """A class covariance in the leading q directions, pulled towards S_W the more, the fewer patients made it."""
    size = min(QUADRATIC, space.size)
    within = space.within[:size, :size]
    if own is None:
        return within
    trust = patients / (patients + size)
    return np.asarray(trust * own + (1 - trust) * within)


def class_covariance(space: Subspace, features: Array, mean: Array, weights: Array) -> Array:
    """(q, q) covariance of one class of one site about its mean in the subspace."""
    size = min(QUADRATIC, space.size)
    centered = space.project(features)[:, :size] - mean[:size]
    covariance = (centered * weights[:, None]).T @ centered / weights.sum()
    return np.asarray((covariance + covariance.T) / 2)


def standardise(scores: Array, standard: Array) -> Array:
    """(n, 3) scores with (3, 2) means and standard deviations to the (n,) sum of z-scores."""
    return np.asarray(((scores - standard[:, 0]) / standard[:, 1]).sum(axis=1))


def standard_of(scores: Array) -> Array:
    """(3, 2) mean and standard deviation of (n, 3) scores; a deviation of zero becomes one."""
    deviation = scores.std(axis=0)
    return np.stack([scores.mean(axis=0), np.where(deviation > 1e-9, deviation, 1.0)], axis=1)


def histogram(scores: Array) -> NDArray[np.int64]:
    """Counts of refusal scores in the bins between `BINS`; what lies outside goes to the first and last bin."""
    clipped = np.clip(scores, BINS[0], BINS[-1] - 1e-9)
    return np.histogram(clipped, bins=BINS)[0].astype(np.int64)


def p_values(scores: Array, counts: NDArray[np.int64]) -> Array:
    """Conformal p-values (1 + #{calibration <= s}) / (n + 1); a shared bin counts as <=, which keeps the bound."""
    below = np.cumsum(counts)
    index = np.clip(np.searchsorted(BINS, scores, side="right") - 1, 0, len(counts) - 1)
    return np.asarray((1 + below[index]) / (1 + counts.sum()))


def acting_weights(p: Array, calibrated: Array, alpha: float) -> Array:
    """a_k = clip((p_k - 1/(n_k+1)) / (alpha - 1/(n_k+1)), 0, 1) for (n, K) p-values and (K,) calibration patients.

    With too few patients for a p-value under alpha (n_k + 1 < 1/alpha) nothing can be called foreign, and a_k is 1.
    """
    least = 1.0 / (calibrated + 1.0)
    room = alpha - least
    graded = np.clip((p - least) / np.where(room > 1e-12, room, 1.0), 0.0, 1.0)
    at_the_edge = (p > alpha + 1e-12).astype(np.float64)
    return np.where(room > 1e-12, graded, np.where(room < -1e-12, 1.0, at_the_edge))


def qualified(p: Array, alpha: float) -> NDArray[np.bool_]:
    """Which sites are qualified: p_k > alpha, so that P(own site refuses) <= alpha.

    With >= the bound fails by one rank.
    """
    return np.asarray(p > alpha + 1e-12)


def normalise_in_class(weights: Array, inside: NDArray[np.bool_]) -> Array:
    """a_kc for one class: a_k / max over the sites that label it, all one if that is 0; (n, K) with `inside` (K,)."""
    result = np.array(weights, dtype=np.float64)
    best = weights[:, inside].max(axis=1, keepdims=True)
    result[:, inside] = np.where(best > 0, weights[:, inside] / np.where(best > 0, best, 1.0), 1.0)
    return result


def calibration_source(own: int, pooled: int, alpha: float) -> str:
    """Whose calibration a site uses: its own if it has patients enough for a p-value of alpha, else the pooled."""
    if own + 1 >= 1 / alpha:
        return ALONE
    return POOLED if pooled else "none"


def one_item_a_patient(patients: Sequence[str], clips: Sequence[str]) -> list[int]:
    """Index of one row a patient, chosen by its names alone: rows are sorted by (patient, clip) and a hash picks.

    One item a patient keeps calibration items exchangeable with a new patient's item; frames of one patient are not.
    """
    by_patient: dict[str, list[int]] = {}
    for index, patient in enumerate(patients):
        by_patient.setdefault(patient, []).append(index)
    return [_pick(patient, sorted(rows, key=lambda row: clips[row])) for patient, rows in sorted(by_patient.items())]


def _pick(patient: str, rows: list[int]) -> int:
    from federated.canonical import digest

    return rows[int(digest(patient.encode())[-8:], 16) % len(rows)]


def means_in(space: Subspace, means: Mapping[str, Array], labels: Sequence[str]) -> Array:
    """(C, r) class means in the subspace."""
    return np.stack([space.project(means[label][None, :])[0] for label in labels])
