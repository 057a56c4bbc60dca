"""Swapped labels are found, on both sides and nowhere else; the same views at different machines are no conflict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from federated.conflicts import _excess, _nearest_mixture, label_conflicts
from federated.fused_model import FusedModel
from federated.manifest import Hyperparameters

SETTINGS = Hyperparameters(ridge=1.0, scatter=1.0, outside=0.5)


def _swapping(federation: Any, site: str, one: str, other: str) -> FusedModel:
    """The candidate, had a site called `one` what the others call `other`, and the other way round."""
    names = {one: other, other: one}
    train = federation.folds[site]["train"]
    labels = tuple(names.get(label, label) for label in train.labels)
    folds = federation.folds | {site: federation.folds[site] | {"train": replace(train, labels=labels)}}
    changed = type(federation)(folds, held=federation.held, vocabulary=federation.vocabulary)
    return changed.model(changed.candidate(hyperparameters=SETTINGS))


def _model(federation: Any, **options: Any) -> FusedModel:
    model: FusedModel = federation.model(federation.candidate(hyperparameters=SETTINGS, **options))
    return model


def test_no_false_alarm_at_different_machines(make_federation: Any) -> None:
    found = [label_conflicts(_model(make_federation(seed=seed)), draws=199).found for seed in range(12)]
    assert found == [()] * 12


def test_no_false_alarm_of_labels_that_differ_little_or_lie_within_others(make_nested: Any) -> None:
    alarms = sum(bool(label_conflicts(_model(make_nested(seed=seed)), draws=199).found) for seed in range(8))
    assert alarms <= 1


def test_two_labels_swapped_between_two_sites_are_found(make_federation: Any) -> None:
    federation = make_federation()
    conflicts = label_conflicts(_swapping(federation, "ada", "a4c", "a2c"))
    assert [(each.site, each.label, each.against, each.nearest) for each in conflicts.found] == [
        ("ada", "a4c", "ben", "a2c"),
        ("ada", "a2c", "ben", "a4c"),
        ("ben", "a4c", "ada", "a2c"),
        ("ben", "a2c", "ada", "a4c"),
    ]
    assert all(each.other < each.own and each.p < 0.01 and not each.coarse for each in conflicts.found)
    sound = label_conflicts(_model(federation))
    assert all(each.other > each.own and each.p > 0.2 for each in sound.claims)


def test_the_site_that_stands_against_all_others_shows(make_nested: Any) -> None:
    model = _swapping(make_nested(), "cem", "plax", "a4c")
    found = label_conflicts(model).found
    assert {"cem"} < {name for each in found for name in (each.site, each.against)}
    assert all("cem" in (each.site, each.against) for each in found)
    assert {(each.against, each.nearest) for each in found if (each.site, each.label) == ("cem", "a4c")} == {
        ("ada", "plax"),
        ("ben", "plax"),
    }


def test_a_coarse_label_is_held_against_mixtures_of_what_lies_below(make_nested: Any) -> None:
    sound = label_conflicts(_model(make_nested()))
    coarse = {(each.site, each.label, each.against) for each in sound.claims if each.coarse}
    assert coarse == {("cem", "psax", "ada"), ("cem", "psax", "ben"), ("dan", "psax", "ada"), ("dan", "psax", "ben")}
    wrong = label_conflicts(_swapping(make_nested(), "cem", "a4c", "psax")).found
    named = {(each.label, each.against, each.nearest) for each in wrong if each.site == "cem" and each.coarse}
    assert {("psax", "ada", "a4c"), ("psax", "ben", "a4c")} <= named


def test_what_cannot_be_judged_is_said(federation: Any, nested: Any) -> None:
    """A pair with one label in common, and a level where the other site names none."""
    assert set(label_conflicts(_model(federation)).unjudged) == {
        ("ada", "plax", "cem"),
        ("cem", "plax", "ada"),
        ("ben", "psax", "cem"),
        ("cem", "psax", "ben"),
    }
    unjudged = set(label_conflicts(_model(nested)).unjudged)
    assert ("ada", "psax-av", "cem") in unjudged
    assert ("cem", "psax", "ada") not in unjudged


def test_class_sums_suffice(make_federation: Any) -> None:
    federation = make_federation(gram_to_sites=False)
    model = _swapping(federation, "ada", "a4c", "a2c")
    kept = replace(model, blocks={name: block.without_gram() for name, block in model.blocks.items()})
    assert label_conflicts(kept) == label_conflicts(model)
    assert len(label_conflicts(kept).found) == 4


def test_one_site_alone_has_nothing_to_be_held_against(federation: Any) -> None:
    conflicts = label_conflicts(federation.model(federation.candidate(("ada",), hyperparameters=SETTINGS)))
    assert (conflicts.claims, conflicts.unjudged) == ((), ())


def test_the_same_record_gives_the_same_numbers(federation: Any) -> None:
    model = _model(federation)
    assert label_conflicts(model) == label_conflicts(model)
    assert label_conflicts(model, draws=99).claims != label_conflicts(model, draws=99, seed=1).claims


def test_the_nearest_mixture_lies_in_the_hull() -> None:
    means = np.array([[0.0, 0.0], [2.0, 0.0]])
    assert _nearest_mixture(np.array([0.5, 3.0]), means) == pytest.approx([0.75, 0.25], abs=1e-6)
    assert _nearest_mixture(np.array([-5.0, 1.0]), means) == pytest.approx([1.0, 0.0], abs=1e-6)
    assert _nearest_mixture(np.array([9.0, 9.0]), means[:1]).tolist() == [1.0]


def test_the_excess_is_counted_from_the_middle_to_the_nearest_rival() -> None:
    ways = np.array([[4.0, 0.0], [0.0, 10.0]])
    assert _excess(np.zeros(2), ways) == pytest.approx(-2.0)
    assert _excess(np.array([3.0, 1.0]), ways) == pytest.approx(1.0)
    assert _excess(np.array([[3.0, 1.0], [0.0, 9.0]]), np.stack([ways, ways])) == pytest.approx([1.0, 4.0])
