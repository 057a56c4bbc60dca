from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import Ridge

from benchmarks.patient_folds import (
    OUTER_FOLDS,
    RIDGES,
    ImageSet,
    balanced_accuracy,
    balanced_weights,
    correct,
    cross_validated,
    folds,
    left_out_sites,
    load,
    paired_interval,
    ridge_scores,
    within_sites,
)

Array = NDArray[np.float64]


def made_up(patients: int = 24, signal: float = 4.0) -> tuple[ImageSet, Array]:
    """Patients of two clips with two images each, three labels, two sites; features say the label, more or less."""
    patient = np.repeat(np.arange(patients), 4)
    label = patient % 3
    data = ImageSet([], label, patient, np.repeat(np.arange(2 * patients), 2), (patient // 3) % 2)
    noise = np.random.default_rng(0).normal(size=(patient.size, 6))
    return data, np.column_stack([signal * np.eye(3)[label] + noise[:, :3], noise[:, 3:], np.ones(patient.size)])


def test_labels_weigh_the_same_and_patients_within_them() -> None:
    data = ImageSet(
        [], np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 2, 0]), np.arange(6), np.zeros(6, dtype=np.int64)
    )
    weights = balanced_weights(data, np.arange(6))
    assert np.allclose(weights, [1 / 12, 1 / 12, 1 / 12, 1 / 4, 1 / 4, 1 / 4])


def test_folds_keep_patients_whole_and_ask_everyone_once() -> None:
    data, _ = made_up()
    rows = np.arange(data.label.size)
    asked = []
    for train, test in folds(data, rows, OUTER_FOLDS, seed=3):
        assert not set(data.patient[train]) & set(data.patient[test])
        asked += list(test)
    assert sorted(asked) == list(rows)


def test_the_dual_ridge_is_scikit_learns() -> None:
    data, features = made_up()
    train, test = np.arange(60), np.arange(60, 96)
    weights = balanced_weights(data, train)
    trace = float(weights @ (features[train] ** 2).sum(axis=1))
    ours = ridge_scores(features @ features.T, data, train, test)
    for ridge, scores in zip(RIDGES, ours, strict=True):
        peer = Ridge(alpha=ridge * trace, fit_intercept=False, solver="cholesky")
        peer.fit(features[train], np.eye(3)[data.label[train]], sample_weight=weights)
        assert np.allclose(scores, peer.predict(features[test]), atol=1e-6)


def test_a_clear_signal_is_found_and_noise_is_not() -> None:
    data, clear = made_up()
    _, noise = made_up(signal=0.0)
    assert correct(cross_validated(clear, data, 0), data).mean() > 0.95
    assert balanced_accuracy(cross_validated(noise, data, 0), data) < 0.6
    assert left_out_sites(clear, data, 0) > 0.95


def test_a_trait_of_the_site_does_not_tell_labels_within_it_apart() -> None:
    label, site = np.repeat([0, 1, 1, 2], 6), np.repeat([0, 0, 1, 1], 6)
    data = ImageSet([], label, np.arange(24), np.arange(24), site)
    by_site = np.eye(3)[np.where(site == 0, 0, 2)]
    by_label = np.eye(3)[label]
    assert within_sites(by_site, data) == pytest.approx(0.5)
    assert within_sites(by_label, data) == pytest.approx(1.0)


def test_clips_are_answered_by_the_mean_of_their_images() -> None:
    data = ImageSet(
        [], np.array([0, 0, 1]), np.zeros(3, dtype=np.int64), np.array([0, 0, 1]), np.zeros(3, dtype=np.int64)
    )
    means = data.clip_means(np.array([[1.0, 0.0], [0.0, 3.0], [5.0, 6.0]]))
    assert means.tolist() == [[0.5, 1.5], [5.0, 6.0]]
    assert correct(means, data).tolist() == [0.0, 1.0]


def test_the_interval_of_no_difference_is_nothing_and_draws_patients() -> None:
    data, _ = made_up()
    ones = np.ones(48)
    assert paired_interval(ones, ones, data) == (0.0, 0.0, 0.0)
    one_patient = ones.copy()
    one_patient[:2] = 0.0
    mean, low, high = paired_interval(ones, one_patient, data)
    assert mean == pytest.approx(2 / 48)
    assert low == 0.0
    assert high == pytest.approx(6 / 48, abs=2 / 48)


def test_an_index_becomes_numbers(tmp_path: Path) -> None:
    with (tmp_path / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "patient", "clip", "site"])
        for number, (label, patient, clip) in enumerate([("b", "p", "x"), ("a", "q", "y"), ("b", "p", "x")]):
            Image.fromarray(np.full((9, 9), number, dtype=np.uint8)).save(tmp_path / f"{number}.png")
            writer.writerow([f"{number}.png", label, patient, clip, "s"])
    data = load(tmp_path, "")
    assert [image[0, 0] for image in data.images] == [0, 1, 2]
    assert data.label.tolist() == [1, 0, 1]
    assert data.clip_label.tolist() == [1, 0]
    assert data.clip_site.tolist() == [0, 0]
    assert data.classes == 2
