"""Labels are places in a list, and every image has the grey levels of its own site."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.incremental.contestant import Fold, Site
from benchmarks.incremental.network_images import (
    ARCHITECTURE,
    config_of,
    every_label,
    recipe_of,
    said,
    state_bytes,
    training_examples,
    validation_examples,
)
from shared_models.views import ExpertNetwork
from tests.benchmarks.incremental.test_network_rivals import SETTING, SITES


def test_labels_are_places_among_those_given() -> None:
    found = training_examples(SITES[1], ("below", "none", "all"))
    assert sorted(set(found.labels.tolist())) == [0, 2]
    assert found.labels.tolist() == [{"all": 2, "below": 0}[label] for label in SITES[1].folds["train"].local.labels]


def test_training_and_validation_have_the_grey_levels_of_the_training_images() -> None:
    images = SITES[0].folds["train"].images
    for found in (training_examples(SITES[0], SITES[0].labels), validation_examples(SITES[0], SITES[0].labels)):
        assert found is not None
        assert (found.mean, found.deviation) == pytest.approx((images.mean() / 255, images.std() / 255))


def test_validation_images_of_labels_that_a_site_does_not_teach_are_left_out() -> None:
    folds = dict(SITES[0].folds)
    strange = replace(folds["validation"].local, labels=("none",) * 3 + folds["validation"].local.labels[3:])
    mixed = Site("ada", {**folds, "validation": Fold(folds["validation"].images, strange)})
    found = validation_examples(mixed, ("above", "below"))
    assert found is not None
    assert np.array_equal(found.images, folds["validation"].images[3:])
    nothing = replace(strange, labels=("none",) * len(strange.labels))
    untaught = Site("ada", {**folds, "validation": Fold(folds["validation"].images, nothing)})
    assert validation_examples(untaught, ("above", "below")) is None


def test_a_change_of_gain_and_brightness_of_a_whole_site_is_not_seen() -> None:
    network = ExpertNetwork(ARCHITECTURE, config_of(SITES[0], SETTING, 2))
    images = SITES[0].folds["test"].images // 2
    local = SITES[0].folds["test"].local
    one, other = (said(network, Fold(shown, local)) for shown in (images, images + 60))
    assert np.allclose(one, other, atol=1e-4)
    assert one.dtype == np.float64


def test_the_network_and_recipe_are_the_papers_in_the_size_of_the_preset() -> None:
    assert config_of(SITES[0], SETTING, 5) == {"classes": 5, "side": 8, "width": 4}
    small, paper = recipe_of(SETTING, 7), recipe_of(replace(SETTING, width=64), 7)
    assert (small.epochs, small.batch, small.seed) == (paper.epochs, paper.batch, paper.seed) == (2, 8, 7)
    assert (paper.rate, paper.schedule, paper.optimiser) == (1e-3, "constant", "adam")
    assert (small.rate, small.schedule) == (8e-3, "cosine")


def test_labels_stand_in_the_order_of_the_vocabulary() -> None:
    assert every_label(SITES[:2], ("none", "below", "all", "above")) == ("below", "all", "above")


def test_bytes_are_those_of_all_arrays() -> None:
    assert state_bytes({"one": np.zeros((2, 3), np.float32), "other": np.zeros(1, np.int64)}) == 32
