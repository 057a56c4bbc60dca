"""Training patients scored by fits without them look like new patients, which fits with them do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, ks_2samp

from federated.cross_fitting import can_leave_out, cross_fitted
from federated.errors import ContractError
from federated.fusion.closed_form import fit
from federated.fusion.effective_number import counted
from federated.fusion.selection import VOLUME
from federated.in_distribution import one_item_a_patient
from federated.local_fold import LocalFold, class_covariances, raw_scores
from federated.manifest import manifest_digest, unpack_tensors
from federated.release import build_release
from federated.report import compute_report
from federated.statistics import from_features


def test_a_model_without_some_images_is_the_fit_without_them(federation):
    model = federation.model(federation.candidate())
    train = federation.folds["ada"]["train"]
    kept = train.rows(range(20, len(train.labels)))
    block = from_features(kept.features, kept.labels, kept.weights, model.labels)
    without = model.holding("ada", block)
    expected = fit(counted(model.blocks | {"ada": block}, VOLUME), model.labels, model.manifest.hyperparameters)
    assert np.abs(without.full_scores(train.features) - train.features @ expected).max() < 1e-9
    assert np.abs(without.full_scores(train.features) - model.full_scores(train.features)).max() > 1e-6


def test_cross_fitted_scores_look_like_those_of_new_patients(make_federation):
    crossed, plain, new = [], [], []
    for seed in range(6):
        federation = make_federation(seed=seed)
        model = federation.model(federation.candidate())
        folds = federation.folds["ada"]
        covariances = class_covariances(model, "ada", folds["train"], 1).shrunk
        crossed.append(cross_fitted(model, "ada", folds["train"], 1).scores["image"][:, 0])
        plain.append(raw_scores(model, "ada", covariances, folds["train"])[:, 0])
        new.append(raw_scores(model, "ada", covariances, folds["calibration"])[:, 0])
    crossed_, plain_, new_ = (np.concatenate(parts) for parts in (crossed, plain, new))
    assert len(crossed_) == len(plain_) == 6 * 36
    assert ks_2samp(plain_, new_).pvalue < 0.01
    assert ks_2samp(crossed_, new_).pvalue > 0.05


def test_a_label_of_one_patient_is_not_left_without_an_image(federation):
    model = federation.model(federation.candidate())
    train = federation.folds["ada"]["train"]
    first = {
        label: next(p for p, x in zip(train.patients, train.labels, strict=True) if x == label)
        for label in dict.fromkeys(train.labels)
    }
    few = train.rows([row for row, name in enumerate(train.patients) if name in first.values()])
    assert cross_fitted(model, "ada", few, 1).scores["clip"].shape == (0, 3)


def test_kept_gram_matrices_leave_nothing_to_solve_again(make_federation):
    model = make_federation(gram_to_sites=False).model(make_federation(gram_to_sites=False).candidate())
    assert not can_leave_out(model)
    with pytest.raises(ContractError, match="kept back"):
        model.holding("ada", model.blocks["ada"])


def test_own_patients_are_wrongly_called_foreign_at_most_twice_as_often_as_alpha(make_federation, capsys):
    """With nobody in the calibration folds: how often a site does not know its own patient, by its own p-value."""
    nobody = LocalFold(np.zeros((0, 24)), (), (), (), np.zeros(0))
    wrong = own = 0
    for seed in range(5):
        federation = make_federation(seed=seed)
        candidate = federation.candidate()
        model, reports = federation.model(candidate), {}
        for name, folds in federation.folds.items():
            report, data = compute_report(model, name, train=folds["train"], validation=nobody, calibration=nobody)
            reports[name] = (manifest_digest(report), report, unpack_tensors(data, report))
        built = build_release(candidate.manifest, unpack_tensors(candidate.tensors, candidate.manifest), reports)
        assert {site.calibration for site in built.manifest.sites} == {"cross-fitted"}
        fold = federation.folds["ada"]["test"].by_clip()
        rows = one_item_a_patient(fold.patients, fold.clips)
        clips = [fold.clips[row] for row in rows]
        lines = federation.model(built).decide(fold.features[rows], clips, clips)
        wrong += sum(line.qualified["ada"] <= 0.05 for line in lines if line.image is None)
        own += len(rows)
    with capsys.disabled():
        print(f"\ncross-fitted: {wrong} of {own} patients wrongly called foreign")
    assert wrong <= binom.ppf(0.999, own, 0.1)
