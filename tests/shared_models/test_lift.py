"""The lift is fixed by its size and its seed, and named by both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shared_models.front_ends import create_front_end
from shared_models.lift import LIFTED, SEED, lift_features


def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (20, 30)).astype(np.uint8)


def test_features_stay_and_their_constant_stays_last() -> None:
    features = np.random.default_rng(0).normal(size=(5, 8))
    features[:, -1] = 1.0
    found = lift_features(features, 30, 4)
    assert found.shape == (5, 38)
    assert np.array_equal(found[:, 30:], features)
    assert found[:, :30].min() == 0.0
    assert (found[:, :30] > 0).mean() == pytest.approx(0.5, abs=0.15)


def test_size_and_seed_decide() -> None:
    features = np.random.default_rng(1).normal(size=(4, 6))
    assert np.array_equal(lift_features(features, 10, 3), lift_features(features, 10, 3))
    assert not np.array_equal(lift_features(features, 10, 3), lift_features(features, 10, 4))


def test_what_no_line_can_split_is_split_after_the_lift() -> None:
    features = np.random.default_rng(2).uniform(-1, 1, (400, 3))
    features[:, -1] = 1.0
    inside = np.where((features[:, :2] ** 2).sum(axis=1) < 0.6, 1.0, -1.0)

    def accuracy(rows: np.ndarray) -> float:
        return float(np.mean(np.sign(rows @ np.linalg.lstsq(rows, inside)[0]) == inside))

    assert accuracy(features) < 0.75
    assert accuracy(lift_features(features, 200, 1)) > 0.95


def test_the_front_end_lifts_as_its_features_are_lifted() -> None:
    base, front_end = create_front_end("texture"), create_front_end("lifted", base="texture", lifted=50, seed=7)
    found = front_end(image())
    assert found.shape == (front_end.features,) == (base.features + 50,)
    assert np.allclose(found, lift_features(base(image())[None], 50, 7)[0], atol=1e-12)
    assert front_end.config == {"base": "texture", "lifted": 50, "seed": 7}


def test_it_is_made_again_from_what_its_card_says() -> None:
    front_end = create_front_end("lifted", base="pixels")
    config: dict[str, Any] = dict(front_end.config)
    again = create_front_end(front_end.name, **config)
    assert again.digest == front_end.digest
    assert np.array_equal(again(image()), front_end(image()))
    assert front_end.config == {"base": "pixels", "lifted": LIFTED, "seed": SEED}


def test_base_size_and_seed_are_in_the_digest() -> None:
    made = [("pixels", 20, 1), ("texture", 20, 1), ("pixels", 21, 1), ("pixels", 20, 2)]
    digests = {create_front_end("lifted", base=base, lifted=size, seed=seed).digest for base, size, seed in made}
    assert len(digests) == len(made)


@pytest.mark.parametrize("config", [{}, {"base": "lifted"}, {"base": 3}])
def test_it_needs_a_base_other_than_itself(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs `base`"):
        create_front_end("lifted", **config)


@pytest.mark.parametrize("config", [{"lifted": 0}, {"seed": -1}, {"lifted": 2.5}, {"lifted": True}])
def test_sizes_and_seeds_are_whole_numbers(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="are whole numbers"):
        create_front_end("lifted", base="pixels", **config)
    with pytest.raises(ValueError, match="takes no weights and no configuration"):
        create_front_end("lifted", base="pixels", size=3)


def test_nothing_cannot_be_lifted() -> None:
    for features, lifted in ((np.ones((3, 1)), 5), (np.ones(4), 5), (np.ones((3, 4)), 0)):
        with pytest.raises(ValueError, match="cannot be lifted"):
            lift_features(features, lifted)
