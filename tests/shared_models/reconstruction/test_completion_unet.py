"""Balls are completed from the discs that two planes show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.phantom.planes import Plane
from shared_models.phantom.volumes import Grid
from shared_models.recipe import Recipe
from shared_models.reconstruction.completion_unet import CompletionTask, Drawn, completed, completion_unet
from shared_models.reconstruction.plane_places import drawn, places
from shared_models.reconstruction.volume_metrics import IOU, PEAK
from shared_models.training import train

EDGE = 16
GRID = Grid(np.full(3, -7.5), 1.0, EDGE)
X, Y, Z = np.eye(3)


def _ball(radius: float) -> Drawn:
    flat = np.indices((EDGE, EDGE)) - 7.5
    disc = (np.hypot(*flat) <= radius).astype(np.float32)
    where = np.stack([places(Plane(np.full(3, 0.1), X, axis), GRID, 1.0, pixels=EDGE) for axis in (Y, Z)])
    away = np.sqrt(((np.indices((EDGE,) * 3) - 7.5) ** 2).sum(axis=0))
    return Drawn(drawn(np.stack([disc, disc]), where, EDGE), away <= radius)


def test_it_completes_a_ball_that_it_has_not_seen() -> None:
    torch.manual_seed(0)
    network = completion_unet(EDGE, width=8, levels=3)
    task = CompletionTask(network, [_ball(radius) for radius in (3, 4, 6, 7)], [_ball(5)])
    before = task.validate()
    train(task, Recipe(epochs=30, batch=4, rate=1e-2, seed=0, optimiser="adam"), device="cpu")
    after = task.validate()
    assert before[PEAK] < 0.3
    assert after[IOU] > 0.75
    assert after[PEAK] >= after[IOU]


def test_probabilities_of_every_heart() -> None:
    network = completion_unet(EDGE, width=2, levels=2)
    found = completed(network, [_ball(4).volume, _ball(6).volume])
    assert found.shape == (2, EDGE, EDGE, EDGE)
    assert 0 <= found.min() < found.max() <= 1
    assert network.training
    assert CompletionTask(network, [_ball(4)] * 2).validate() == {}


def test_a_size_that_does_not_divide() -> None:
    with pytest.raises(ValueError, match="volumes of 20 a side do not fit 4 levels: take a multiple of 8"):
        completion_unet(20)
