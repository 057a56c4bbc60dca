"""What a site does in a round with networks that segment, outline or encode clips."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from shared_models.averaged_networks import MOST_VALUES, Config, State, Windows, begun, train_contour, train_encoder
from shared_models.averaged_networks import train_unet as train
from shared_models.contour_training import Contoured
from shared_models.segmentation import Masked, segmented

SIDE = 16
UNET: Config = {"classes": 3, "side": SIDE, "width": 4, "levels": 2}
CONTOUR: Config = {"side": SIDE, "width": 2, "levels": 2, "shrunk": 2}
ENCODER: Config = {"side": 8, "width": 2, "levels": 2, "stride": 2, "cells": 1, "dense": 4, "projected": 4}


def squares(count: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images with a bright square (1) beside a dim one (2), and their label maps."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 40, size=(count, SIDE, SIDE))
    masks = np.zeros((count, SIDE, SIDE), np.uint8)
    for number, (row, column) in enumerate(rng.integers(1, 6, size=(count, 2))):
        masks[number, row : row + 8, column : column + 4] = 1
        masks[number, row : row + 8, column + 4 : column + 8] = 2
    images += np.array([0, 180, 90])[masks]
    return images.astype(np.uint8), masks


def hearts(count: int = 4) -> Contoured:
    rng = np.random.default_rng(0)
    u = np.array([[3.0, 3], [3, 8], [5, 11], [8, 13], [11, 11], [13, 8], [13, 3]])
    images = rng.integers(0, 255, size=(count, SIDE, SIDE)).astype(np.uint8)
    return Contoured(images, np.stack([u + rng.normal(0, 0.3, u.shape) for _ in range(count)]))


def clips(count: int = 6) -> Windows:
    rng = np.random.default_rng(0)
    return Windows(rng.integers(0, 255, size=(count, 4, 8, 8)).astype(np.uint8), 1 + np.arange(count) // 2)


Round = Callable[..., State]
ROUNDS: dict[str, tuple[Config, Round]] = {
    "unet": (UNET, partial(train, config=UNET, examples=[Masked(*squares())])),
    "contour_network": (CONTOUR, partial(train_contour, config=CONTOUR, examples=hearts())),
    "clip_encoder": (ENCODER, partial(train_encoder, config=ENCODER, examples=clips())),
}


def moved(before: State, after: State) -> float:
    return float(sum(np.abs(after[name] - before[name]).sum() for name in before if name.endswith("weight")))


@pytest.mark.parametrize("name", ROUNDS)
def test_a_round_is_the_same_bytes_again_and_the_proximal_term_holds_it(name: str) -> None:
    config, round_ = ROUNDS[name]
    start = begun(name, config)
    one, again, other = (round_(start, epochs=2, proximal=0.0, seed=seed) for seed in (1, 1, 2))
    held = round_(start, epochs=2, proximal=1e4, seed=1)
    assert {key: (value.shape, value.dtype) for key, value in one.items()} == {
        key: (value.shape, value.dtype) for key, value in start.items()
    }
    assert all(one[key].tobytes() == again[key].tobytes() for key in one)
    assert any(one[key].tobytes() != other[key].tobytes() for key in one)
    assert moved(start, one) > 2 * moved(start, held) > 0


@pytest.mark.parametrize("name", ROUNDS)
def test_a_run_begins_with_the_same_bytes_wherever_it_does(name: str) -> None:
    one, again = (begun(name, ROUNDS[name][0]) for _ in range(2))
    assert all(one[key].tobytes() == again[key].tobytes() for key in one)
    assert [value.sum() for key, value in one.items() if key.endswith("reference_counts")] == [0]


@pytest.mark.parametrize("name", ROUNDS)
def test_a_network_whose_training_would_take_all_memory_is_refused(name: str) -> None:
    config: dict[str, Any] = {**ROUNDS[name][0], "side": 256, "width": 64}
    assert config["width"] * config["side"] ** 2 > MOST_VALUES
    with pytest.raises(ValueError, match="width 64 at 256 pixels a side takes too much memory"):
        begun(name, config)
    with pytest.raises(ValueError, match=r"of side 1000000000; \d+ to"):
        begun(name, {**config, "side": 10**9})


def test_a_window_takes_as_much_as_all_its_frames() -> None:
    assert begun("unet", {**UNET, "side": 128, "width": 64})
    with pytest.raises(ValueError, match="width 64 at 128 pixels a side takes too much memory"):
        begun("clip_encoder", {**ENCODER, "side": 128, "width": 64})


def test_a_structure_that_a_site_does_not_label_is_not_unlearnt() -> None:
    images, masks = squares()
    knows = train(begun("unet", UNET), UNET, [Masked(images, masks)], 40, 0.0, 1)
    first = np.where(masks == 1, masks, 0).astype(np.uint8)
    silent, wrong = (train(knows, UNET, [Masked(images, first, labelled)], 20, 0.0, 2) for labelled in ((1,), (1, 2)))
    fresh_images, fresh = squares(seed=9)
    known, kept, lost = (_found(state, fresh_images, fresh) for state in (knows, silent, wrong))
    assert kept > 0.9 * known > 0.3
    assert lost < 0.1 * known


def _found(state: State, images: np.ndarray, masks: np.ndarray) -> float:
    """Share of the second structure that is found."""
    from shared_models.registry import create_model
    from shared_models.views import load_state

    network = create_model("unet", **UNET)
    load_state(network, state)
    return float((segmented(network, images).labels[masks == 2] == 2).mean())
