"""What is measured of classifiers, on toys whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmarks.backmix_images import Pictures
from benchmarks.backmix_training import (
    BACKMIX,
    METHODS,
    NOTHING,
    Answers,
    answered,
    blanked,
    focused,
    learnt,
    macro_f1,
    mean_of,
    some,
)
from shared_models.backgrounds import BACKGROUNDS
from shared_models.views import own_grey_levels

SIDE = 16


def toys(count: int = 64, first: int = 0) -> Pictures:
    """Speckle in the middle columns; outside, a bright bar above or below tells the class."""
    random = np.random.default_rng(first)
    labels = (np.arange(count) % 2).astype(np.int64)
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    sectors = np.zeros(images.shape, dtype=np.bool_)
    sectors[:, :, 5:11] = True
    images[sectors] = random.integers(20, 200, int(sectors.sum()))
    images[labels == 0, :4, :3] = 255
    images[labels == 1, -4:, :3] = 255
    return Pictures(images, labels, sectors, np.arange(count))


def test_all_backgrounds_are_compared_and_the_weights_of_the_paper() -> None:
    assert {method.background for method in METHODS} == set(BACKGROUNDS)
    assert [method.strength for method in METHODS] == [0] * 6 + [1.0]


def test_a_shortcut_is_learnt_where_backgrounds_are_left_as_they_are() -> None:
    network = learnt(NOTHING, 1.0, toys(128), toys(16, 1), classes=2, seed=0, epochs=6)
    found = answered(network, toys(64, 2), 2)
    assert found.accuracy > 90
    levels = own_grey_levels(toys(64, 2).images, SIDE)
    best = network.look(toys(64, 2).images, *levels).logits.argmax(axis=1)
    assert found.macro_f1 == pytest.approx(100 * macro_f1(toys(64, 2).labels, best, 2))


def test_networks_of_a_seed_differ_in_backgrounds_alone() -> None:
    """Of images whose background is empty BackMix makes what black makes; of others it does not."""
    empty = blanked(toys())
    for shown, same in ((empty, True), (toys(), False)):
        digests = {learnt(one, 1.0, shown, shown, classes=2, seed=0, epochs=1).digest for one in (BACKMIX, METHODS[1])}
        assert (len(digests) == 1) is same


def test_a_look_has_shares_of_all_of_it() -> None:
    network = learnt(NOTHING, 1.0, toys(), toys(8, 1), classes=2, seed=0, epochs=1)
    look = focused(network, toys(8, 2))
    assert look.even == pytest.approx(100 * 6 / 16)
    for share in (look.energy, look.focus, look.gradients_energy, look.gradients_focus):
        assert 0 <= share <= 100


def test_masks_of_a_share_of_the_images_in_no_order() -> None:
    sectors = toys(200).sectors
    chosen = some(sectors, 0.05, seed=3).any(axis=(1, 2))
    assert chosen.sum() == 10
    assert len(set(np.diff(np.flatnonzero(chosen)).tolist())) > 3
    assert not np.array_equal(chosen, some(sectors, 0.05, seed=4).any(axis=(1, 2)))
    assert np.array_equal(some(sectors, 1.0, seed=3), sectors)


def test_macro_f1_is_the_usual_one() -> None:
    random = np.random.default_rng(0)
    truth, said = random.integers(0, 4, 60), random.integers(0, 4, 60)
    assert macro_f1(truth, said, 4) == pytest.approx(f1_score(truth, said, average="macro"))
    assert macro_f1(np.array([0, 0, 1]), np.array([0, 0, 1]), 3) == 1


def test_blanked_images_are_black_outside_and_means_are_of_sets() -> None:
    shown = toys(4)
    assert not blanked(shown).images[~shown.sectors].any()
    assert np.array_equal(blanked(shown).images[shown.sectors], shown.images[shown.sectors])
    assert mean_of([Answers(50.0, 40.0), Answers(100.0, 60.0)]) == Answers(75.0, 50.0)
