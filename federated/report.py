"""The second exchange: counts a site makes of a candidate with its own held-out patients, which calibrate a release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federated.cross_fitting import CrossFitted, can_leave_out, cross_fitted
from federated.descent import MARGINS, Counts, resolves, tree_of
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.hierarchy import target
from federated.in_distribution import (
    BINS,
    QUADRATIC,
    histogram,
    standard_of,
    standardise,
)
from federated.local_fold import LocalFold, all_steps, class_covariances, raw_scores, telling
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
    steps: Sequence[str] | None = None,
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
        steps: concepts whose steps down are counted; all that any patient's label tells of where none are named.

    Raises:
        ContractError: the candidate does not hold this site.
    """
    if site not in model.sites:
        raise ContractError("this site is not part of the candidate", where=site, cure="contribute first")
    covariances = class_covariances(model, site, train, minimum)
    crossed = is_crossed(model, calibration)
    told = steps_told(model, train=train, validation=validation, calibration=calibration)
    concepts = tuple(concept for concept in told if steps is None or concept in steps)
    own = cross_fitted(model, site, train, minimum, concepts) if crossed else None
    tensors: Tensors = {"covariance": covariances.packed}
    for unit in UNITS:
        checked, counted = (
            raw_scores(model, site, covariances.shrunk, fold.in_unit(unit)) for fold in (validation, calibration)
        )
        if own is not None:
            checked = counted = np.concatenate([own.scores[unit], checked, counted])
        tensors |= _calibrated(unit, checked, counted)
        if concepts:
            tensors[f"steps.{unit}"] = _steps(model, unit, own, validation, calibration, concepts)
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
        cross_fitted_patients=len(own.scores["clip"]) + len(set(validation.patients)) if own is not None else 0,
        steps=concepts,
    )
    return manifest, data


def is_crossed(model: FusedModel, calibration: LocalFold) -> bool:
    """Whether too few calibration patients are there for a p-value under alpha, and the others can serve as well."""
    return len(set(calibration.patients)) + 1 < 1 / model.manifest.alpha and can_leave_out(model)


def steps_told(
    model: FusedModel, *, train: LocalFold, validation: LocalFold, calibration: LocalFold
) -> dict[str, frozenset[str]]:
    """The concepts that answers go down from -> the patients whose labels tell how; concepts of nobody are left out."""
    folds = (train, validation, calibration) if is_crossed(model, calibration) else (calibration,)
    told = {
        concept: frozenset(fold.patients[row] for fold in folds for row in telling(model, fold, concept))
        for concept in model.tree.inner
    }
    return {concept: patients for concept, patients in told.items() if patients}


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
    tree = tree_of(candidate.vocabulary, candidate.labels)
    if len(set(manifest.steps)) != len(manifest.steps) or not set(manifest.steps) <= set(tree.inner):
        raise ContractError("counts steps down from what no answer goes down from", where=manifest.site)
    for concept in manifest.steps:
        if not any(resolves(candidate.vocabulary, tree, label, concept) for label in cards[manifest.site].labels):
            raise ContractError(
                f"counts steps down from '{concept}', of which none of its labels tells", where=manifest.site
            )
    size = min(QUADRATIC, candidate.tensors["basis"].shape[1])
    shapes = _expected_shapes(len(manifest.labels), size, len(candidate.labels), len(manifest.steps))
    for name, shape in shapes.items():
        if name not in tensors or tensors[name].shape != shape:
            raise ContractError(f"has no tensor {name} of shape {shape}", where=f"report of {manifest.site}")
    if set(tensors) != set(shapes):
        raise ContractError("has tensors that no report has", where=f"report of {manifest.site}")
    _check_values(manifest, tensors, size)


def _expected_shapes(labels: int, size: int, answers: int, steps: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"covariance": (labels, size * (size + 1) // 2)}
    for unit in UNITS:
        shapes |= {f"standard.{unit}": (3, 2), f"calibration.{unit}": (len(BINS) - 1,)}
        shapes |= {f"steps.{unit}": (steps, len(MARGINS))} if steps else {}
    shapes |= {"nll": (len(TEMPERATURES),), "nll_count": (1,)}
    return shapes | {"score_correct": (2, len(CONFIDENCES) - 1), "confusion": (answers, answers)}


def _check_values(manifest: ReportManifest, tensors: Tensors, size: int) -> None:
    where = f"report of {manifest.site}"
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ContractError(f"{name} holds values that are not finite", where=where)
    steps = tuple(name for name in tensors if name.startswith("steps."))
    counts = ("calibration.image", "calibration.clip", "score_correct", "confusion", "nll_count", *steps)
    if any((tensors[name] < 0).any() for name in counts):
        raise ContractError("a count is negative", where=where)
    for unit in UNITS:
        if (tensors[f"standard.{unit}"][:, 1] <= 0).any():
            raise ContractError("a standard deviation is not positive", where=where)
        patients = manifest.calibration_patients + manifest.cross_fitted_patients
        if max(tensors[f"calibration.{unit}"].sum(), _most_steps(tensors, unit)) > patients:
            raise ContractError("more calibration items than patients", where=where)
    for row in tensors["covariance"]:
        matrix = unpack_symmetric(row, size)
        if np.linalg.eigvalsh(matrix)[0] < -1e-8 * max(np.trace(matrix), 1.0):
            raise ContractError("a class covariance is not positive semi-definite", where=where)


def _most_steps(tensors: Tensors, unit: str) -> int:
    counts = tensors.get(f"steps.{unit}")
    return int(counts.sum(axis=1).max()) if counts is not None else 0


def _steps(
    model: FusedModel,
    unit: str,
    own: CrossFitted | None,
    validation: LocalFold,
    calibration: LocalFold,
    concepts: Sequence[str],
) -> Counts:
    """(concepts, 1 + bins) of the patients that serve for calibration."""
    counts = all_steps(model, calibration.in_unit(unit), concepts)
    if own is None:
        return counts
    return counts + own.steps[unit] + all_steps(model, validation.in_unit(unit), concepts)


def _calibrated(unit: str, checked: Array, counted: Array) -> Tensors:
    """(3, 2) standard from one group of patients' scores and the histogram of another's (or the same)."""
    standard, items = np.tile([0.0, 1.0], (3, 1)), np.zeros(len(BINS) - 1, dtype=np.int64)
    if len(checked) >= LEAST_PATIENTS:
        standard = standard_of(checked)
        items = histogram(standardise(counted, standard))
    return {f"standard.{unit}": standard, f"calibration.{unit}": items}


def _answers(model: FusedModel, clips: LocalFold) -> Tensors:
    """Likelihood on the temperature grid and counts of right and wrong answers, over clips; a patient weighs one.

    An answer below the true label counts as the true label.
    """
    size = len(model.labels)
    nll, count = np.zeros(len(TEMPERATURES)), np.zeros(1)
    correct = np.zeros((2, len(CONFIDENCES) - 1), dtype=np.int64)
    confusion = np.zeros((size, size), dtype=np.int64)
    rows = [row for row, label in enumerate(clips.labels) if label in model.labels]
    if rows:
        truth = np.array([model.labels.index(clips.labels[row]) for row in rows])
        weights = _one_a_patient([clips.patients[row] for row in rows])
        scores = model.full_scores(clips.features[rows])
        each = np.arange(len(rows))
        logs = model.tree.log_probabilities(scores[None] / TEMPERATURES[:, None, None])[:, each, truth]
        nll, count = -(logs * weights).sum(axis=1), np.array([weights.sum()])
        answered = _as_deep_as(model, model.tree.best(scores), truth)
        top = np.exp(model.tree.log_probabilities(scores / model.manifest.temperature))[each, answered]
        right = (answered == truth).astype(int)
        bins = np.clip(np.searchsorted(CONFIDENCES, top, side="right") - 1, 0, len(CONFIDENCES) - 2)
        np.add.at(correct, (right, bins), 1)
        np.add.at(confusion, (truth, answered), 1)
    return {"nll": nll, "nll_count": count, "score_correct": correct, "confusion": confusion}


def _as_deep_as(model: FusedModel, best: NDArray[np.int64], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """The answers; where one lies below the true label, the true label."""
    labels, vocabulary = model.labels, model.manifest.vocabulary
    return np.array(
        [
            true if target(vocabulary, labels[one], labels[true]) == 1 else one
            for one, true in zip(best, truth, strict=True)
        ]
    )


def _one_a_patient(patients: Sequence[str]) -> Array:
    """Weights that add up to one for each patient."""
    counts = Counter(patients)
    return np.array([1.0 / counts[patient] for patient in patients])
