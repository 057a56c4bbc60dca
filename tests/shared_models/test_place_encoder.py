"""Codes say what lies where, and a place is found again by them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.clip_encoder import encoded
from shared_models.image_reference import BINS, put_reference, reference, reference_in
from shared_models.place_encoder import place_encoder
from shared_models.retrieval_training import codes

CHANNELS, CELLS, SIDE = 3, 4, 16


def _network(seed: int = 0) -> torch.nn.ModuleDict:
    torch.manual_seed(seed)
    return place_encoder(width=4, levels=2, channels=CHANNELS, cells=CELLS, side=SIDE).eval()


@pytest.mark.parametrize("length", [1, 5])
def test_clips_of_any_length(length: int) -> None:
    assert encoded(_network(), torch.rand((3, length, SIDE, SIDE))).shape == (3, CHANNELS * CELLS**2)


def test_every_channel_is_nought_on_average() -> None:
    said = encoded(_network(), torch.rand((5, 2, SIDE, SIDE))).view(5, CHANNELS, CELLS**2)
    assert torch.allclose(said.mean(dim=2), torch.zeros(5, CHANNELS), atol=1e-6)
    assert (said.abs().amax(dim=2) > 1e-3).all()


def test_what_is_moved_in_the_image_is_moved_in_the_code() -> None:
    """By two pixels of each of two halvings: by one cell. Away from the border."""
    network, side = place_encoder(width=4, levels=1, channels=CHANNELS, cells=16, side=32).eval(), 32
    frame = torch.zeros((1, 1, side, side))
    frame[..., 12:18, 12:16] = torch.rand((6, 4))
    here, moved = (encoded(network, each).view(CHANNELS, 16, 16) for each in (frame, frame.roll(2, dims=-1)))
    inner = slice(4, 12)
    assert torch.allclose(here[:, inner, inner], moved[:, inner, slice(5, 13)], atol=1e-5)
    assert not torch.allclose(here[:, inner, inner], moved[:, inner, inner], atol=1e-3)


def test_the_same_frame_is_nearest_whatever_its_gain() -> None:
    frames = np.random.default_rng(0).integers(40, 160, (6, 1, SIDE, SIDE), dtype=np.uint8)
    first, second = codes(_network(), frames), codes(_network(), (1.5 * frames).astype(np.uint8))
    assert ((first @ second.T) / np.linalg.norm(second, axis=1)).argmax(axis=1).tolist() == list(range(6))


def test_it_is_small() -> None:
    assert sum(each.numel() for each in place_encoder().parameters()) < 5000


def test_it_carries_room_for_a_reference_of_its_codes() -> None:
    network = _network()
    features = codes(network, np.random.default_rng(0).integers(0, 256, (9, 1, SIDE, SIDE), dtype=np.uint8))
    put_reference(
        network, reference(features, features[:2], lambda scores: np.bincount([0] * len(scores), minlength=BINS))
    )
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    np.testing.assert_allclose(reference_in(state).mean, features.mean(axis=0), atol=1e-5)
    assert reference_in(state).patients == 2


WRONG = [
    {"cells": 5},
    {"cells": 0},
    {"levels": 0},
    {"levels": 5, "cells": 1},
    {"channels": 0},
    {"width": 1000},
    {"width": 256, "levels": 8, "side": 256, "cells": 1},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_sizes_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="an encoder of places"):
        place_encoder(**({"side": SIDE} | wrong))
