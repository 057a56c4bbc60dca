"""Reports hold counts that add up, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from federated.errors import ContractError
from federated.local_fold import LocalFold
from federated.manifest import manifest_digest, unpack_tensors
from federated.report import check_report, compute_report


@pytest.fixture
def candidate(federation):
    return federation.candidate()


@pytest.fixture
def report(federation, candidate):
    return federation.reports(candidate, ("ada",))["ada"]


def test_counts_are_by_patient(federation, report):
    _, manifest, tensors = report
    calibration = federation.folds["ada"]["calibration"]
    patients = len(set(calibration.patients))
    assert manifest.calibration_patients == patients == 36
    for unit in ("image", "clip"):
        assert tensors[f"calibration.{unit}"].sum() == patients
    validation = federation.folds["ada"]["validation"]
    assert tensors["nll_count"][0] == pytest.approx(len(set(validation.patients)))
    assert tensors["confusion"].sum() == tensors["score_correct"].sum() == len(set(validation.clips))
    assert tensors["confusion"].trace() == tensors["score_correct"][1].sum()


def test_a_sound_report_passes(candidate, report):
    check_report(report[1], report[2], candidate.manifest)
    assert set(report[1].labels) == {"plax", "a4c", "a2c"}


@pytest.mark.parametrize(
    ("tensor", "value", "message"),
    [
        ("standard.clip", np.tile([0.0, 0.0], (3, 1)), "standard deviation"),
        ("standard.image", np.full((3, 2), np.nan), "not finite"),
        ("confusion", np.full((5, 5), -1), "negative"),
        ("calibration.clip", np.full(320, 7), "more calibration items"),
        ("nll", np.zeros(3), "no tensor nll"),
        ("covariance", -np.ones((3, 23 * 12)), "positive semi-definite"),
    ],
)
def test_values_that_no_counting_could_give_are_refused(candidate, report, tensor, value, message):
    with pytest.raises(ContractError, match=message):
        check_report(report[1], report[2] | {tensor: value}, candidate.manifest)


def test_tensors_that_no_report_has_are_refused(candidate, report):
    with pytest.raises(ContractError, match="no report has"):
        check_report(report[1], report[2] | {"patient_names": np.zeros(1)}, candidate.manifest)


def test_a_report_on_another_candidate_is_refused(federation, report):
    other = federation.candidate(number=2, previous="sha256:" + "1" * 64)
    with pytest.raises(ContractError, match="another candidate"):
        check_report(report[1], report[2], other.manifest)


def test_labels_of_another_site_are_refused(candidate, report):
    with pytest.raises(ContractError, match="does not hold"):
        check_report(report[1].model_copy(update={"labels": ("sub",)}), report[2], candidate.manifest)


def test_a_class_of_few_patients_sends_no_covariance(federation, candidate):
    folds = federation.folds["ada"]
    model = federation.model(candidate)
    parts = {fold: folds[fold] for fold in ("train", "validation", "calibration")}
    manifest, data = compute_report(model, "ada", **parts, minimum=13)
    assert manifest.labels == ()
    assert unpack_tensors(data, manifest)["covariance"].shape[0] == 0


NOBODY = LocalFold(np.zeros((0, 24)), (), (), (), np.zeros(0))


def test_without_held_out_patients_the_training_patients_serve_cross_fitted(federation, candidate):
    folds = federation.folds["ada"]
    manifest, data = compute_report(
        federation.model(candidate), "ada", train=folds["train"], validation=NOBODY, calibration=NOBODY
    )
    tensors = unpack_tensors(data, manifest)
    check_report(manifest, tensors, candidate.manifest)
    assert tensors["calibration.clip"].sum() == manifest.cross_fitted_patients == len(set(folds["train"].patients))
    assert manifest.calibration_patients == tensors["nll_count"][0] == 0


def test_without_held_out_patients_and_with_kept_grams_nothing_is_calibrated(make_federation):
    federation = make_federation(gram_to_sites=False)
    candidate = federation.candidate()
    manifest, data = compute_report(
        federation.model(candidate),
        "ada",
        train=federation.folds["ada"]["train"],
        validation=NOBODY,
        calibration=NOBODY,
    )
    tensors = unpack_tensors(data, manifest)
    check_report(manifest, tensors, candidate.manifest)
    assert tensors["calibration.clip"].sum() == tensors["nll_count"][0] == 0


def test_a_site_outside_the_candidate_has_nothing_to_report(federation):
    candidate = federation.candidate(("ben", "cem"))
    folds = {fold: federation.folds["ada"][fold] for fold in ("train", "validation", "calibration")}
    with pytest.raises(ContractError, match="contribute first"):
        compute_report(federation.model(candidate), "ada", **folds)


def test_reports_are_deterministic(federation, candidate, report):
    again = federation.reports(candidate, ("ada",))["ada"]
    assert manifest_digest(again[1]) == report[0]
