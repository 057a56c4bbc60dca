"""The second exchange: counts a site makes of a candidate with its own held-out patients, which calibrate a release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

from federated.cross_fitting import can_leave_out, cross_fitted_scores
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.in_distribution import (
    BINS,
    QUADRATIC,
    histogram,
    standard_of,
    standardise,
)
from federated.local_fold import LocalFold, class_covariances, raw_scores
from federated.manifest import ReleaseManifest, ReportManifest, Tensors, manifest_digest, pack_tensors
from federated.release import TEMPERATURES, UNITS
from federated.statistics import Array, unpack_symmetric

LEAST_PATIENTS = 5  # fewer say nothing of a mean and a deviation
CONFIDENCES = np.linspace(0.0, 1.0, 21)


def compute_report(
    model: FusedModel,
    site: str,
    *,
    train: LocalFold,
    validation: LocalFold,
    calibration: LocalFold,
    minimum: int = 1,
) -> tuple[ReportManifest, bytes]:
    """The report of one site on a candidate, with its tensors.

    Args:
        model: the candidate.
        site: this site's name.
        train: for class covariances.
        validation: for standards, likelihood and counts.
        calibration: for the histogram of refusal scores; where it holds too few for a p-value under alpha, every
            patient serves, training patients scored by a fit without them.
        minimum: a class with fewer training patients sends no covariance.

    Raises:
        ContractError: the candidate does not hold this site.
    """
    if site not in model.sites:
        raise ContractError("this site is not part of the candidate", where=site, cure="contribute first")
    covariances = class_covariances(model, site, train, minimum)
    few = len(set(calibration.patients)) + 1 < 1 / model.manifest.alpha
    crossed = few and can_leave_out(model)
    own = cross_fitted_scores(model, site, train, minimum) if crossed else {}
    tensors: Tensors = {"covariance": covariances.packed}
    for unit in UNITS:
        checked, counted = (
            raw_scores(model, site, covariances.shrunk, fold.in_unit(unit)) for fold in (validation, calibration)
        )
        if crossed:
            checked = counted = np.concatenate([own[unit], checked, counted])
        tensors |= _calibrated(unit, checked, counted)
    tensors |= _answers(model, validation.by_clip())
    data, specs, tensors_digest = pack_tensors(tensors)
    manifest = ReportManifest(
        federation=model.manifest.federation,
        tensors=specs,
        tensors_digest=tensors_digest,
        site=site,
        candidate=manifest_digest(model.manifest),
        labels=covariances.labels,
        validation_patients=len(set(validation.patients)),
        calibration_patients=len(set(calibration.patients)),
        cross_fitted_patients=len(own["clip"]) + len(set(validation.patients)) if crossed else 0,
    )
    return manifest, data


def check_report(manifest: ReportManifest, tensors: Tensors, candidate: ReleaseManifest) -> None:
    """Whether a report can be about this candidate.

    Raises:
        ContractError: another candidate, site, labels or shapes; values that no counting could give.
    """
    cards = {site.name: site for site in candidate.sites}
    if manifest.candidate != manifest_digest(candidate):
        raise ContractError("is about another candidate", where=manifest.site, cure="report on the newest one")
    if manifest.site not in cards or not set(manifest.labels) <= set(cards[manifest.site].labels):
        raise ContractError("names labels that this site does not hold", where=manifest.site)
    size = min(QUADRATIC, candidate.tensors["basis"].shape[1])
    shapes = _expected_shapes(len(manifest.labels), size, len(candidate.labels))
    for name, shape in shapes.items():
        if name not in tensors or tensors[name].shape != shape:
            raise ContractError(f"has no tensor {name} of shape {shape}", where=f"report of {manifest.site}")
    if set(tensors) != set(shapes):
        raise ContractError("has tensors that no report has", where=f"report of {manifest.site}")
    _check_values(manifest, tensors, size)


def _expected_shapes(labels: int, size: int, answers: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"covariance": (labels, size * (size + 1) // 2)}
    for unit in UNITS:
        shapes |= {f"standard.{unit}": (3, 2), f"calibration.{unit}": (len(BINS) - 1,)}
    shapes |= {"nll": (len(TEMPERATURES),), "nll_count": (1,)}
    return shapes | {"score_correct": (2, len(CONFIDENCES) - 1), "confusion": (answers, answers)}


def _check_values(manifest: ReportManifest, tensors: Tensors, size: int) -> None:
    where = f"report of {manifest.site}"
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ContractError(f"{name} holds values that are not finite", where=where)
    counts = ("calibration.image", "calibration.clip", "score_correct", "confusion", "nll_count")
    if any((tensors[name] < 0).any() for name in counts):
        raise ContractError("a count is negative", where=where)
    for unit in UNITS:
        if (tensors[f"standard.{unit}"][:, 1] <= 0).any():
            raise ContractError("a standard deviation is not positive", where=where)
        if tensors[f"calibration.{unit}"].sum() > manifest.calibration_patients + manifest.cross_fitted_patients:
            raise ContractError("more calibration items than patients", where=where)
    for row in tensors["covariance"]:
        matrix = unpack_symmetric(row, size)
        if np.linalg.eigvalsh(matrix)[0] < -1e-8 * max(np.trace(matrix), 1.0):
            raise ContractError("a class covariance is not positive semi-definite", where=where)


def _calibrated(unit: str, checked: Array, counted: Array) -> Tensors:
    """(3, 2) standard from one group of patients' scores and the histogram of another's (or the same)."""
    standard, items = np.tile([0.0, 1.0], (3, 1)), np.zeros(len(BINS) - 1, dtype=np.int64)
    if len(checked) >= LEAST_PATIENTS:
        standard = standard_of(checked)
        items = histogram(standardise(counted, standard))
    return {f"standard.{unit}": standard, f"calibration.{unit}": items}


def _answers(model: FusedModel, clips: LocalFold) -> Tensors:
    """Likelihood on the temperature grid and counts of right and wrong answers, over clips; a patient weighs one."""
    size = len(model.labels)
    nll, count = np.zeros(len(TEMPERATURES)), np.zeros(1)
    correct = np.zeros((2, len(CONFIDENCES) - 1), dtype=np.int64)
    confusion = np.zeros((size, size), dtype=np.int64)
    rows = [row for row, label in enumerate(clips.labels) if label in model.labels]
    if rows:
        truth = np.array([model.labels.index(clips.labels[row]) for row in rows])
        weights = _one_a_patient([clips.patients[row] for row in rows])
        scores = model.full_scores(clips.features[rows])
        logs = log_softmax(scores[None] / TEMPERATURES[:, None, None], axis=2)[:, np.arange(len(rows)), truth]
        nll, count = -(logs * weights).sum(axis=1), np.array([weights.sum()])
        top = np.exp(log_softmax(scores / model.manifest.temperature, axis=1)).max(axis=1)
        right = (scores.argmax(axis=1) == truth).astype(int)
        bins = np.clip(np.searchsorted(CONFIDENCES, top, side="right") - 1, 0, len(CONFIDENCES) - 2)
        np.add.at(correct, (right, bins), 1)
        np.add.at(confusion, (truth, scores.argmax(axis=1)), 1)
    return {"nll": nll, "nll_count": count, "score_correct": correct, "confusion": confusion}


def _one_a_patient(patients: Sequence[str]) -> Array:
    """Weights that add up to one for each patient."""
    counts = Counter(patients)
    return np.array([1.0 / counts[patient] for patient in patients])
