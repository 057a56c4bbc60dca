"""Reports hold counts that add up, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from federated.descent import MARGINS
from federated.errors import ContractError
from federated.local_fold import LocalFold
from federated.manifest import manifest_digest, unpack_tensors
from federated.release import TEMPERATURES
from federated.report import check_report, compute_report, steps_told


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


def test_steps_down_are_counted_by_patients_whose_label_tells(nested):
    candidate = nested.candidate()
    reports = nested.reports(candidate, ("ada", "cem"))
    _, manifest, tensors = reports["ada"]
    assert manifest.steps == ("psax",)
    assert 30 <= tensors["steps.clip"].sum() <= 40  # two levels, twenty patients each, but for those seen as no psax
    assert reports["cem"][1].steps == ()
    assert "steps.clip" not in reports["cem"][2]
    for _, one, counted in reports.values():
        check_report(one, counted, candidate.manifest)


def test_coarse_clips_count_as_right_where_the_answer_lies_below(nested):
    _, _, tensors = nested.reports(nested.candidate(), ("cem",))["cem"]
    labels = nested.candidate().manifest.labels
    row = tensors["confusion"][labels.index("psax")]
    assert row[labels.index("psax")] == row.sum() == 16
    assert tensors["confusion"].trace() == tensors["score_correct"][1].sum()


def test_the_likelihood_of_a_coarse_label_is_that_of_its_view(nested):
    built = nested.candidate()
    model, fold = nested.model(built), nested.folds["cem"]["validation"].by_clip()
    _, _, tensors = nested.reports(built, ("cem",))["cem"]
    temperature = TEMPERATURES[40]
    probabilities = model.tree.probabilities(model.full_scores(fold.features) / temperature)
    own = [probabilities[row, model.labels.index(label)] for row, label in enumerate(fold.labels)]
    assert tensors["nll"][40] == pytest.approx(-np.log(own).sum(), rel=1e-9)


def test_with_few_calibration_patients_every_patient_counts_steps(make_nested):
    federation = make_nested(calibration=2)
    _, manifest, tensors = federation.reports(federation.candidate(), ("ada",))["ada"]
    everybody = 2 * (16 + 8 + 2)  # two levels
    assert 0.8 * everybody <= tensors["steps.clip"].sum() <= everybody
    check_report(manifest, tensors, federation.candidate().manifest)


def test_named_steps_alone_are_counted(nested):
    model = nested.model(nested.candidate())
    folds = {fold: nested.folds["ada"][fold] for fold in ("train", "validation", "calibration")}
    assert {concept: len(found) for concept, found in steps_told(model, **folds).items()} == {"psax": 40}
    manifest, data = compute_report(model, "ada", **folds, steps=())
    assert manifest.steps == ()
    assert "steps.clip" not in unpack_tensors(data, manifest)


def test_steps_that_no_counting_could_give_are_refused(nested):
    candidate = nested.candidate()
    _, manifest, tensors = nested.reports(candidate, ("ada",))["ada"]
    with pytest.raises(ContractError, match="negative"):
        check_report(manifest, tensors | {"steps.clip": -tensors["steps.clip"]}, candidate.manifest)
    with pytest.raises(ContractError, match="more calibration items"):
        check_report(manifest, tensors | {"steps.clip": 9 * tensors["steps.clip"]}, candidate.manifest)
    with pytest.raises(ContractError, match=r"no tensor steps\.image"):
        check_report(manifest, {k: v for k, v in tensors.items() if k != "steps.image"}, candidate.manifest)
    with pytest.raises(ContractError, match="no answer goes down from"):
        check_report(manifest.model_copy(update={"steps": ("plax",)}), tensors, candidate.manifest)


def test_steps_that_no_label_of_a_site_tells_of_are_refused(nested):
    candidate = nested.candidate()
    manifest, tensors = (nested.reports(candidate, ("cem",))["cem"][part] for part in (1, 2))
    check_report(manifest, tensors, candidate.manifest)
    counts = {f"steps.{unit}": np.ones((1, len(MARGINS)), dtype=np.int64) for unit in ("image", "clip")}
    with pytest.raises(ContractError, match="none of its labels tells"):
        check_report(manifest.model_copy(update={"steps": ("psax",)}), tensors | counts, candidate.manifest)
