"""Candidates and releases: deterministic bytes, what they carry, and how reports calibrate them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federated.errors import ConsiliumError
from federated.manifest import manifest_bytes, manifest_digest, parse_manifest, unpack_tensors
from federated.release import TEMPERATURES, build_candidate, build_release, impute_grams
from federated.statistics import from_features, unpack_symmetric


def test_equal_inputs_give_equal_bytes_in_any_order(federation):
    first, second = federation.candidate(), federation.candidate(("cem", "ada", "ben"))
    assert first.tensors == second.tensors
    assert manifest_digest(first.manifest) == manifest_digest(second.manifest)


def test_manifests_survive_the_wire(federation):
    for built in (federation.candidate(), federation.release()):
        assert parse_manifest(manifest_bytes(built.manifest)) == built.manifest
        assert unpack_tensors(built.tensors, built.manifest)


def test_a_release_keeps_the_candidates_fusion_and_adds_calibration(federation):
    candidate, release = federation.candidate(), federation.release()
    before = unpack_tensors(candidate.tensors, candidate.manifest)
    after = unpack_tensors(release.tensors, release.manifest)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert release.manifest.candidate == manifest_digest(candidate.manifest)
    assert {site.calibration for site in release.manifest.sites} == {"own"}
    assert release.manifest.temperature in TEMPERATURES


def test_a_site_that_did_not_report_uses_the_pooled_calibration_and_is_marked(federation):
    release = federation.release(reporting=("ada", "ben"))
    cards = {site.name: site for site in release.manifest.sites}
    assert (cards["cem"].calibration, cards["cem"].report) == ("pooled", None)
    tensors = unpack_tensors(release.tensors, release.manifest)
    pooled = tensors["calibration.ada.clip"] + tensors["calibration.ben.clip"]
    assert np.array_equal(tensors["calibration.cem.clip"], pooled)
    assert cards["cem"].calibration_patients == pooled.sum()


def test_a_release_names_the_versions_of_a_sites_expert(federation):
    ada, ben = federation.inputs(("ada", "ben"))
    built = federation.candidate(("ada", "ben"))
    assert [site.versions for site in built.manifest.sites] == [(1,), (1,)]
    assert b"versions" not in manifest_bytes(built.manifest)
    with_two = _built_from([replace(ada, versions=(1, 3)), ben], built)
    assert [site.versions for site in with_two.manifest.sites] == [(1, 3), (1,)]
    assert parse_manifest(manifest_bytes(with_two.manifest)) == with_two.manifest


def _built_from(sites, like):
    told = like.manifest
    return build_candidate(
        federation=told.federation,
        task=told.task,
        front_end=told.front_end,
        vocabulary=told.vocabulary,
        sites=sites,
        experts=(),
        number=told.number,
        previous=told.previous,
        hyperparameters=told.hyperparameters,
    )


def test_nobody_reported_nothing_is_calibrated(federation):
    release = federation.release(reporting=())
    assert {site.calibration for site in release.manifest.sites} == {"none"}
    assert not federation.model(release).calibrated


def test_isolated_mode_can_pin_the_temperature(federation):
    candidate = federation.candidate(temperature=0.3)
    reports = federation.reports(candidate, ("ada", "ben", "cem"))
    tensors = unpack_tensors(candidate.tensors, candidate.manifest)
    assert build_release(candidate.manifest, tensors, reports, keep_temperature=True).manifest.temperature == 0.3
    assert build_release(candidate.manifest, tensors, reports).manifest.temperature != 0.3


def test_class_sums_alone_take_part_with_the_gram_their_means_imply(federation):
    blocks = federation.blocks()
    hidden = dict(blocks) | {"cem": blocks["cem"].without_gram()}
    imputed = impute_grams(hidden)
    assert imputed["ada"] is hidden["ada"]
    error = np.linalg.norm(imputed["cem"].gram - blocks["cem"].gram) / np.linalg.norm(blocks["cem"].gram)
    assert 0 < error < 0.25
    assert imputed["cem"].gram[-1] == pytest.approx(blocks["cem"].gram[-1])  # sums are known exactly


def test_somebody_must_share_a_gram(federation):
    with pytest.raises(ConsiliumError, match="level 2"):
        impute_grams({name: block.without_gram() for name, block in federation.blocks().items()})


def test_a_level_one_site_is_imputed_and_never_released(make_federation):
    federation = make_federation()
    inputs = federation.inputs()
    inputs[2] = replace(inputs[2], train=inputs[2].train.without_gram(), validation=None)
    card = federation.candidate().manifest
    built = build_candidate(
        federation="test",
        task=card.task,
        front_end=card.front_end,
        vocabulary=card.vocabulary,
        sites=inputs,
        experts=(),
        number=1,
        previous=None,
    )
    assert [site.gram for site in built.manifest.sites] == ["released", "released", "imputed"]
    assert "gram.cem" not in built.manifest.tensors


def test_one_or_two_kept_grams_are_in_no_sum_that_a_release_carries(make_federation):
    """With three or more they enter only all together, so that nothing carried isolates one of them."""
    federation = make_federation(gram_to_sites=False)
    pair, trio = federation.candidate(("ada", "ben")), federation.candidate()
    assert not any(system.inverse for system in pair.manifest.systems)
    within = unpack_tensors(pair.tensors, pair.manifest)["within"]
    matrix = unpack_symmetric(within, pair.manifest.tensors["basis"].shape[1])
    assert np.allclose(matrix, matrix[0, 0] * np.eye(len(matrix)))
    kept = {"ada", "ben", "cem"}
    for system in trio.manifest.systems:
        assert not system.inverse or kept in (set(system.inside), set(system.outside))


def test_weightings_that_refit_at_the_site_need_every_gram(make_federation):
    for weighting in ("graded", "scaled"):
        with pytest.raises(ConsiliumError, match="use refit"):
            make_federation(gram_to_sites=False, weighting=weighting).candidate()


def test_a_validation_patient_with_a_label_that_nobody_trains_stops_nothing(federation):
    inputs = federation.inputs(("ada",))
    strange = from_features(np.ones((2, 24)), ["sub", "a4c"], np.ones(2), ("a4c", "sub"))
    inputs[0] = replace(inputs[0], validation=strange)
    card = federation.candidate().manifest
    built = build_candidate(
        federation="test", task=card.task, front_end=card.front_end, vocabulary=card.vocabulary, sites=inputs,
        experts=(), number=1, previous=None,
    )  # fmt: skip
    assert "sub" not in built.manifest.labels


def test_coarse_labels_are_carried_apart_where_gram_matrices_are(nested):
    built = nested.candidate()
    tensors = unpack_tensors(built.tensors, built.manifest)
    assert {site.name: site.coarse for site in built.manifest.sites} == {
        "ada": (),
        "ben": (),
        "cem": ("psax",),
        "dan": ("psax",),
    }
    assert sorted(name for name in tensors if name.startswith("coarse.")) == ["coarse.000.cem", "coarse.000.dan"]
    own = unpack_symmetric(tensors["coarse.000.cem"], 24)
    assert np.array_equal(own, nested.blocks()["cem"].own_grams["psax"])
    silent = {label: system.silent for system in built.manifest.systems for label in system.labels}
    assert silent["psax-av"] == silent["psax-pm"] == (("cem", "psax"), ("dan", "psax"))
    assert silent["psax"] == silent["plax"] == silent["a4c"] == ()


def test_a_coarse_gram_matrix_that_no_column_needs_is_not_carried_on(nested):
    built = nested.candidate(("cem", "dan"))
    assert built.manifest.labels == ("plax", "a4c", "psax")
    assert all(site.coarse == () for site in built.manifest.sites)
    assert not any(name.startswith("coarse.") for name in built.manifest.tensors)


@pytest.mark.parametrize("level", [1, 2])
def test_a_site_that_sends_no_matrix_apart_is_fitted_with_one_made_up(nested, level):
    inputs = nested.inputs()
    cem = next(site for site in inputs if site.name == "cem")
    train = cem.train.without_gram() if level == 1 else cem.train.keeping(())
    changed = [replace(site, train=train) if site is cem else site for site in inputs]
    settings = {"number": 1, "previous": None, "federation": "test", "task": "classification", "experts": ()}
    exact = nested.candidate()
    built = build_candidate(
        front_end=exact.manifest.front_end,
        vocabulary=nested.vocabulary,
        sites=changed,
        hyperparameters=exact.manifest.hyperparameters,
        **settings,
    )
    card = built.manifest.sites[2]
    assert (card.coarse, card.gram) == ((), "imputed" if level == 1 else "released")
    features = nested.folds["ada"]["test"].features
    made_up, sent = (nested.model(one).answer(features, "image").scores for one in (built, exact))
    assert 1e-9 < np.abs(made_up - sent).max() < 0.2
    assert (made_up.argmax(axis=1) == sent.argmax(axis=1)).mean() > 0.9
