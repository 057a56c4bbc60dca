"""Weights that act, answers that add up, refusal that keeps its bound."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from federated.deciding import FOREIGN
from federated.decision import check_decision
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.fusion.closed_form import fit, full_systems
from federated.fusion.effective_number import counted
from federated.in_distribution import one_item_a_patient
from federated.manifest import unpack_tensors

LABELS = ("plax", "a4c", "a2c", "psax", "sub")


def decide(model, fold):
    return model.decide(fold.features, [f"{index}.png" for index in range(len(fold.clips))], list(fold.clips))


def silenced_and_safe(model, answers):
    """Rows, sites and groups where a site is silenced for a class that a less foreign site labels."""
    for group in model.groups:
        labelling = np.flatnonzero(group.inside)
        best = answers.weights[:, labelling].max(axis=1)
        for site in labelling:
            rows = np.flatnonzero((best > 0) & (answers.weights[:, site] < best / 2))
            if len(rows):
                yield rows, site, group


def test_a_candidate_answers_like_the_central_fit(federation):
    model = federation.model(federation.candidate())
    features = federation.folds["ada"]["test"].features
    blocks = counted(federation.blocks(), model.manifest.hyperparameters.volume)
    weights = fit(blocks, model.labels, model.manifest.hyperparameters)
    assert np.abs(model.answer(features, "image").scores - features @ weights).max() < 1e-9


@pytest.mark.parametrize("weighting", ["refit", "graded", "scaled", "none"])
def test_every_line_adds_up_for_every_weighting(make_federation, weighting):
    federation = make_federation(weighting=weighting)
    model = federation.model(federation.release())
    fold = federation.folds["ben"]["test"]
    lines = decide(model, fold)
    assert [line.image is None for line in lines] == [False] * len(fold.clips) + [True] * len(set(fold.clips))
    for line in lines:
        check_decision(line)
        assert set(line.evidence) == {"ada", "ben", "cem", "prior", "disagreement"} or weighting in ("refit", "graded")
        assert line.release == model.digest


def test_frames_of_a_clip_are_answered_by_their_mean(federation):
    model = federation.model(federation.candidate())
    fold = federation.folds["ada"]["test"]
    lines = decide(model, fold)
    images, clips = lines[: len(fold.clips)], lines[len(fold.clips) :]
    frames = [line for line in images if line.clip == clips[0].clip]
    mean = np.mean([line.scores["a4c"] for line in frames])
    assert clips[0].scores["a4c"] == pytest.approx(mean, abs=1e-12)


@pytest.mark.parametrize("weighting", ["refit", "graded", "scaled"])
def test_a_foreign_site_is_silenced_where_a_less_foreign_site_labels(make_federation, weighting):
    federation = make_federation(weighting=weighting)
    model = federation.model(federation.release())
    features = np.concatenate([folds["test"].features for folds in federation.folds.values()])
    answers = model.answer(features, "image")
    seen = 0
    for rows, site, group in silenced_and_safe(model, answers):
        fully = rows[answers.weights[rows, site] == 0]
        seen += len(fully)
        assert (answers.contributions[np.ix_(fully, [site], group.columns)] == 0).all()
    assert seen > 20


def test_a_silenced_site_never_changes_the_label(federation):
    """Where a site is silenced for every class, leaving it out of the federation gives the same scores."""
    release = federation.release()
    model = federation.model(release)
    features = np.concatenate([fold.features for fold in federation.folds["ada"].values()])
    answers = model.answer(features, "image", "refit")
    alone = (answers.weights[:, model.sites.index("ada")] == 1) & (answers.weights[:, model.sites.index("cem")] == 0)
    shared = [LABELS.index(label) for label in ("plax", "a4c", "a2c", "psax")]  # of ada or ben; cem alone holds sub
    without = federation.candidate(("ada", "ben"), hyperparameters=release.manifest.hyperparameters)
    full = federation.model(without)
    both = alone & (answers.weights[:, model.sites.index("ben")] > 0.5)
    assert both.sum() > 3
    expected = full.answer(features[both], "image").scores
    kept = [full.labels.index(LABELS[column]) for column in shared]
    assert np.abs(answers.scores[np.ix_(both, shared)] - expected[:, kept]).max() < 1e-9


def test_where_every_labelling_site_is_foreign_the_answer_says_so(federation):
    model = federation.model(federation.release())
    nowhere = federation.draw(np.random.default_rng(5), "nowhere", "foreign", 6, "test")
    lines = decide(model, nowhere)
    foreign = [line for line in lines if line.caption == FOREIGN]
    assert foreign
    for line in foreign:
        holders = [site.name for site in model.manifest.sites if line.best in site.labels]
        assert all(line.weights[name] == 0 for name in holders)
        assert sum(line.contributions[line.best].values()) != 0  # all stay
    known = decide(model, federation.folds["ada"]["test"])
    assert sum(line.caption is None for line in known) > 0.8 * len(known)


def test_the_bound_holds_on_new_patients_and_the_power_is_printed(make_federation, capsys):
    """Wrong refusals of every site's own patients over ten federations, one clip a patient; and of the unknown."""
    wrong, own, refused, unknown = dict.fromkeys(("ada", "ben", "cem"), 0), 0, 0, 0
    for seed in range(10):
        federation = make_federation(seed=seed)
        model = federation.model(federation.release())
        for name in wrong:
            fold = federation.folds[name]["test"].by_clip()
            rows = one_item_a_patient(fold.patients, fold.clips)
            lines = model.decide(
                fold.features[rows], [fold.clips[row] for row in rows], [fold.clips[row] for row in rows]
            )
            wrong[name] += sum(line.abstained for line in lines if line.image is None)
        own += len(rows)
        strange = federation.draw(np.random.default_rng([seed, 1]), "ada", "foreign", 12, "test").by_clip()
        lines = model.decide(strange.features, list(strange.clips), list(strange.clips))
        refused += sum(line.abstained for line in lines if line.image is None)
        unknown += len(strange.clips)
    with capsys.disabled():
        print(f"\nwrongly refused {wrong} of {own} patients each; unknown view refused {refused}/{unknown} clips")
    assert all(count <= binom.ppf(0.999, own, 0.05) for count in wrong.values())
    assert refused / unknown > 0.5


def test_nothing_is_refused_before_anybody_calibrated(federation):
    model = federation.model(federation.candidate())
    nowhere = federation.draw(np.random.default_rng(5), "nowhere", "foreign", 6, "test")
    assert not any(line.abstained for line in decide(model, nowhere))


def test_kept_gram_matrices_give_the_same_answers_and_one_share(make_federation):
    open_, kept = make_federation(), make_federation(gram_to_sites=False)
    fold = open_.folds["ada"]["test"]
    models = [federation.model(federation.release()) for federation in (open_, kept)]
    settings = [model.manifest.hyperparameters for model in models]
    assert settings[0] == settings[1]
    assert not any(name.startswith("gram.") for name in models[1].tensors)
    full = [model.answer(fold.features, "image", "none") for model in models]
    assert np.abs(full[0].scores - full[1].scores).max() < 1e-9
    for line in decide(models[1], fold):
        check_decision(line)
        assert "other" in line.evidence
        assert not {"ada", "ben", "cem"} & set(line.evidence)


def test_kept_gram_matrices_silence_by_scaling_and_never_leave_one_site_to_speak_for_all(make_federation):
    """What cannot be solved without the silenced sites keeps everybody else's part of the full system."""
    federation = make_federation(gram_to_sites=False)
    model = federation.model(federation.release())
    group = next(group for group in model.groups if LABELS.index("a4c") in group.columns)
    within = np.array([[0.0, 1.0, 1.0]])
    (key,) = model.requested(within, group, "refit")
    features = federation.folds["ada"]["test"].features[:1]
    part = model.part(features, key, group, within, "refit")
    whole = model._contributions(features, model._full_key(group), group)
    ada, ben = 0, 1
    weights = model.tensors["weights"][:, group.columns]
    assert (part[:, ada] == 0).all()
    assert part[0, ben] == pytest.approx(whole[0, ben] * weights.sum(axis=0) / weights[ben])


@pytest.mark.parametrize("weighting", ["scaled"])
def test_a_silenced_site_has_no_share_of_a_scaled_answer(make_federation, weighting):
    federation = make_federation(weighting=weighting)
    model = federation.model(federation.release())
    lines = [line for folds in federation.folds.values() for line in decide(model, folds["test"])]
    silenced = 0
    for line in lines:
        labelling = [site.name for site in model.manifest.sites if line.best in site.labels]
        best = max(line.weights[name] for name in labelling)
        for name in labelling:
            if best > 0 and line.weights[name] == 0:
                silenced += 1
                assert line.evidence[name] == 0.0
    assert silenced > 10


def test_a_release_without_a_system_is_refused_when_it_is_loaded(make_federation):
    built = make_federation(gram_to_sites=False).candidate()
    manifest = built.manifest.model_copy(update={"systems": built.manifest.systems[:-1]})
    with pytest.raises(ContractError, match="no solution for some labels"):
        FusedModel.from_release(manifest, unpack_tensors(built.tensors, built.manifest))


def test_other_features_are_refused(federation):
    model = federation.model(federation.candidate())
    with pytest.raises(ContractError, match="front end"):
        model.decide(np.ones((1, 3)), ["a.png"], ["a"])


def test_labels_that_nobody_holds_are_not_answered(federation):
    model = federation.model(federation.candidate(("ada",)))
    assert model.labels == ("plax", "a4c", "a2c")
    systems = full_systems(model.blocks, LABELS, model.manifest.hyperparameters)
    assert [(key.sites, columns) for key, columns in systems.items()] == [(("ada",), [0, 1, 2])]


def test_in_isolated_mode_a_label_without_its_foreign_sites_is_not_answered_with_the_solution_of_another(
    make_federation,
):
    """Without the silenced sites its system is that of the labels which the others hold alone, and which is carried."""
    federation = make_federation(mode="isolated")
    model = federation.model(federation.release())
    bare = FusedModel.from_release(model.manifest.model_copy(update={"systems": ()}), model.tensors)
    for name in federation.held:
        features = federation.folds[name]["test"].features
        answers, solved = model.answer(features, "image"), bare.answer(features, "image")
        assert (answers.weights < 0.5).any()
        assert np.abs(answers.contributions - solved.contributions).max() < 1e-9
