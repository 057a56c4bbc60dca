"""Folds are by patient, and only a test fold shows what a site does not teach."""

from __future__ import annotations

import numpy as np

from benchmarks.incremental.cases import Cases, external_site, folds_of_patients, split_site
from benchmarks.incremental.suite import TRAINING_FOLDS


def _cases(labels: tuple[str, ...], patients: tuple[str, ...]) -> Cases:
    count = len(labels)
    features = np.arange(count, dtype=np.float64)[:, None]
    return Cases("site", np.zeros((count, 2, 2), np.uint8), features, labels, patients, tuple(map(str, range(count))))


def test_a_patient_is_in_one_fold_and_untaught_labels_only_test() -> None:
    labels = ("a", "b", "x") * 30
    patients = tuple(f"p{number // 3}" for number in range(90))
    site = split_site(_cases(labels, patients), 1, {"a", "b"})
    homes = [set(site.folds[fold].local.patients) for fold in (*TRAINING_FOLDS, "test")]
    assert sum(map(len, homes)) == len(set.union(*homes)) == 30
    assert all(set(site.folds[fold].local.labels) == {"a", "b"} for fold in TRAINING_FOLDS)
    assert set(site.folds["test"].local.labels) == {"a", "b", "x"}
    assert site.labels == ("a", "b")


def test_patients_with_nothing_that_is_taught_test() -> None:
    folds = folds_of_patients({"p": {"x"}, **{f"q{number}": {"a"} for number in range(9)}}, 1, {"a"})
    assert folds["p"] == "test"
    assert set(folds.values()) == {"train", "validation", "calibration", "test"}


def test_another_seed_is_another_split() -> None:
    labels = {f"p{number}": {"a"} for number in range(20)}
    assert folds_of_patients(labels, 1, {"a"}) == folds_of_patients(labels, 1, {"a"})
    assert folds_of_patients(labels, 1, {"a"}) != folds_of_patients(labels, 2, {"a"})


def test_labels_weigh_alike_in_training() -> None:
    labels = ("a",) * 30 + ("b",) * 10
    site = split_site(_cases(labels, tuple(f"p{number}" for number in range(40))), 1, {"a", "b"})
    local = site.folds["train"].local
    weight = {
        label: sum(w for w, its in zip(local.weights, local.labels, strict=True) if its == label) for label in "ab"
    }
    assert np.isclose(weight["a"], weight["b"])


def test_a_site_that_only_tests_keeps_features_in_step_with_labels() -> None:
    site = external_site(_cases(("a", "b", "a"), ("p", "q", "r")))
    assert site.folds["test"].local.features.ravel().tolist() == [0.0, 1.0, 2.0]
    assert site.folds["test"].local.labels == ("a", "b", "a")
    assert site.labels == ()
