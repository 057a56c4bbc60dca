"""A plain regression of points learns, and gives pixels."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.contour_regression import RegressionTask, regressed, regression_network
from shared_models.recipe import Recipe
from shared_models.training import train
from tests.shared_models.test_contour_training import _hearts


def test_it_learns_where_points_are() -> None:
    torch.manual_seed(0)
    network = regression_network(4)
    learnt, held = _hearts(48, side=16), _hearts(16, seed=1, side=16)

    def error() -> float:
        return float(np.linalg.norm(regressed(network, held.images) - held.points, axis=2).mean())

    before = error()
    train(RegressionTask(network, 16, learnt), Recipe(epochs=8, batch=8, rate=3e-3, seed=0), device="cpu")
    assert before > 4
    assert error() < 2
