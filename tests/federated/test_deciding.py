"""An answer goes down the vocabulary as far as it is sure, and whoever has the release can check every step."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from federated.deciding import check_way, sure_of, way_down
from federated.decision import Step, check_decision
from federated.errors import ContractError
from federated.manifest import unpack_tensors

LEVELS = ("psax-av", "psax-pm")


def decide(model, fold):
    return model.decide(fold.features, [f"{row}.png" for row in range(len(fold.clips))], list(fold.clips))


@pytest.fixture(scope="module")
def released(nested):
    return nested.release()


@pytest.fixture(scope="module")
def model(nested, released):
    return nested.model(released)


def test_every_line_adds_up_and_goes_down_as_its_release_does(nested, model):
    for name, folds in nested.folds.items():
        for line in decide(model, folds["test"]):
            check_decision(line)
            check_way(line, model.manifest, model.tensors)
            assert set(line.scores) == {"plax", "a4c", "psax", "psax-av", "psax-pm"}, name


def test_some_levels_are_sure_and_some_are_not(nested, model):
    lines = [line for name in ("ada", "ben") for line in decide(model, nested.folds[name]["test"])]
    stopped = [line for line in lines if line.label == "psax"]
    levels = [line for line in lines if line.label in ("psax-av", "psax-pm")]
    assert len(stopped) > 5
    assert len(levels) > 5
    assert all(line.path[1].doubt > 0.05 for line in stopped)
    assert all(line.path[1].doubt <= 0.05 and line.label == line.best for line in levels)


def test_a_level_that_is_answered_is_wrong_at_most_as_often_as_alpha(make_nested):
    """On new patients by level, of those whose view is right, one clip a patient, over several federations."""
    wrong = asked = named = 0
    for seed in range(6):
        federation = make_nested(seed=seed)
        model = federation.model(federation.release())
        for name in ("ada", "ben"):
            fold = federation.folds[name]["test"].by_clip()
            lines = [line for line in decide(model, fold) if line.image is None]
            for line, label in zip(lines, fold.labels, strict=True):
                if label.startswith("psax") and line.path[0].concept == "psax":
                    asked += 1
                    named += line.path[-1].doubt <= 0.05
                    wrong += line.path[-1].doubt <= 0.05 and line.best != label
    assert asked > 200
    assert named > 0.2 * asked
    assert wrong <= binom.ppf(0.999, asked, 0.05)


def test_uncalibrated_answers_are_as_deep_as_ever(nested):
    model = nested.model(nested.candidate())
    lines = decide(model, nested.folds["ada"]["test"])
    assert all(line.label == line.best for line in lines)
    assert {line.path[-1].doubt for line in lines} == {None}


def test_with_too_few_calibration_patients_no_step_is_stopped(make_nested):
    """Gram matrices are kept back, so that no training patient can serve instead."""
    federation = make_nested(calibration=3, gram_to_sites=False)
    released = federation.release()
    assert released.manifest.steps == ("psax",)
    lines = decide(federation.model(released), federation.folds["ada"]["test"])
    assert all(line.label == line.best for line in lines if not line.abstained)


def test_kept_gram_matrices_change_no_level(make_nested):
    open_, kept = make_nested(), make_nested(gram_to_sites=False)
    models = [federation.model(federation.release()) for federation in (open_, kept)]
    assert not any(name.startswith(("gram.", "coarse.")) for name in models[1].tensors)
    assert not any(system.inverse for system in models[1].manifest.systems if system.silent)
    fold = open_.folds["cem"]["test"]
    full = [model.answer(fold.features, "image", "none").scores for model in models]
    assert np.abs(full[0] - full[1]).max() < 1e-9
    for line in decide(models[1], fold):
        check_decision(line)


@pytest.mark.parametrize("weighting", ["graded", "scaled"])
def test_other_weightings_add_up_too(make_nested, weighting):
    federation = make_nested(weighting=weighting)
    model = federation.model(federation.release())
    for line in decide(model, federation.folds["dan"]["test"]):
        check_decision(line)


def _line(nested, model, label):
    return next(line for line in decide(model, nested.folds["ada"]["test"]) if line.label == label)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda line: {"label": line.best}, "not the deepest that is sure"),
        (lambda line: {"path": line.path[:1]}, "not the one that its release takes"),
        (lambda line: {"path": (line.path[0].model_copy(update={"probability": 0.5}), line.path[1])}, "probabilities"),
        (lambda line: {"path": (line.path[0], line.path[1].model_copy(update={"doubt": 0.01}))}, "doubted otherwise"),
        (lambda line: {"path": (line.path[0], line.path[1].model_copy(update={"margin": None}))}, "doubted otherwise"),
    ],
)
def test_a_line_that_goes_another_way_is_found(nested, model, changed, message):
    line = _line(nested, model, "psax")
    with pytest.raises(ContractError, match=message):
        check_way(line.model_copy(update=changed(line)), model.manifest, model.tensors)


def test_a_step_that_all_sites_together_would_not_get_to_is_not_sure(nested, model):
    """However clearly: patients whose way led elsewhere have not calibrated it."""
    column = model.labels.index("psax-av")
    scores = dict.fromkeys(model.labels, 0.0) | {"psax-av": 1.0}
    for plax, doubted in ((0.0, False), (2.0, True)):
        full = np.array([[(scores | {"psax": 1.0, "plax": plax})[label] for label in model.labels]])
        step = way_down(model, "image", column, np.full(len(model.labels), 0.5), full)[-1]
        assert (step.doubt == 1.0) is doubted


def test_a_line_from_before_there_were_paths_is_still_checked(federation, nested, model):
    flat = federation.model(federation.release())
    line = decide(flat, federation.folds["ada"]["test"])[0].model_copy(update={"path": ()})
    check_decision(line)
    check_way(line, flat.manifest, flat.tensors)
    bare = _line(nested, model, "psax").model_copy(update={"path": ()})
    with pytest.raises(ContractError, match="not the one that its release takes"):
        check_way(bare, model.manifest, model.tensors)


def test_in_isolated_mode_levels_share_a_system_with_views_of_the_same_hospitals(make_nested):
    """What is silent on the levels lies at a hospital that does not enter their system, and moves none of them."""
    federation = make_nested(mode="isolated")
    alone, arrived = federation.candidate(("ada",)), federation.release(("ada", "dan"))
    assert [(system.inside, system.silent) for system in arrived.manifest.systems] == [
        (("ada", "dan"), ()),
        (("ada",), ()),
    ]
    model, fold = federation.model(arrived), federation.folds["ada"]["test"]
    for line in decide(model, fold):
        check_decision(line)
        check_way(line, model.manifest, model.tensors)
    pinned = federation.candidate(("ada", "dan"), hyperparameters=alone.manifest.hyperparameters)
    before, after = (federation.model(built).full_scores(fold.features) for built in (alone, pinned))
    columns = [[built.manifest.labels.index(label) for label in ("a4c", *LEVELS)] for built in (alone, pinned)]
    assert np.abs(before[:, columns[0]] - after[:, columns[1]]).max() < 1e-12


def test_nothing_beyond_an_unsure_step_is_sure():
    way = [
        Step(concept=name, probability=1.0, doubt=doubt)
        for name, doubt in zip("abcd", (None, 0.01, 0.2, 0.01), strict=True)
    ]
    assert sure_of(way, 0.05) == "b"
    assert sure_of(way, 0.2) == "d"
    assert sure_of(way[:1], 0.05) == "a"


def test_a_coarse_answer_is_foreign_only_where_every_site_of_the_view_is(nested, model):
    assert model.labelling("psax") == ("ada", "ben", "cem", "dan")
    assert model.labelling("psax-av") == ("ada", "ben")


def test_steps_of_a_release_are_the_sums_of_the_reports(nested):
    candidate = nested.candidate()
    reports = nested.reports(candidate, tuple(nested.held))
    released = nested.release()
    tensors = unpack_tensors(released.tensors, released.manifest)
    assert [report[1].steps for report in reports.values()] == [("psax",), ("psax",), (), ()]
    for unit in ("image", "clip"):
        told = sum(report[2][f"steps.{unit}"] for report in reports.values() if report[1].steps)
        assert np.array_equal(tensors[f"steps.{unit}"], told)
        assert 60 <= told.sum() <= 80  # two sites, two levels, twenty patients each; some take another view for it
