"""Balls are learnt from their discs; what does not fit is told before anything is learnt."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from shared_models.recipe import Recipe
from shared_models.reconstruction.reconstruction_training import ReconstructionTask, reconstructed
from shared_models.reconstruction.volume_metrics import IOU, PEAK
from shared_models.training import train
from tests.shared_models.reconstruction.solid_hearts import ball
from tests.shared_models.reconstruction.tiny import tiny

CPU = torch.device("cpu")


def _loss(task: ReconstructionTask) -> float:
    return task.loss(np.arange(task.examples), torch.Generator(), CPU).item()


def test_it_learns_balls() -> None:
    network = tiny("A4C")
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            layer.momentum = 0.5  # so that few steps are enough
    hearts = [ball(radius, views=("A4C",)) for radius in (6, 12)]
    task = ReconstructionTask(network, hearts, hearts)
    before = task.validate()
    recipe = Recipe(epochs=14, batch=2, rate=1e-2, seed=0, optimiser="adam")
    trained = train(ReconstructionTask(network, hearts), recipe, device="cpu")
    after = task.validate()
    assert trained.history[-1]["loss"] < trained.history[0]["loss"] / 3
    assert before[PEAK] < 0.3
    assert after[PEAK] > 0.5
    assert after[PEAK] >= after[IOU]


def test_the_loss_is_ten_times_that_of_both_volumes() -> None:
    network = tiny("A4C")
    with torch.no_grad():
        network.decoder.last.weight.zero_()  # coarse volumes of a half
        network.refiner.last.weight.zero_()  # and refined ones
    hearts = [ball(8, views=("A4C",))] * 2
    assert _loss(ReconstructionTask(network, hearts)) == pytest.approx(20 * math.log(2), rel=1e-5)
    share = hearts[0].target.mean()
    found = _loss(ReconstructionTask(network, hearts, loss="soft IoU"))
    assert found == pytest.approx(20 * (1 - 0.5 * share / (0.5 + 0.5 * share)), rel=1e-4)


def test_a_penalty_is_added_to_the_loss() -> None:
    network, hearts = tiny("A4C"), [ball(8, views=("A4C",))] * 2
    alone = _loss(ReconstructionTask(network, hearts))
    held = ReconstructionTask(network, hearts, penalty=lambda _network, _seen, found: found.new_full((), 3.0))
    assert _loss(held) == pytest.approx(alone + 3)


def test_the_order_of_views_does_not_matter() -> None:
    network, heart = tiny(), ball(8)
    heart = replace(heart, planes=heart.planes * np.array([1.0, 0.5], np.float32)[:, None, None])
    turned = replace(heart, views=heart.views[::-1], planes=heart.planes[::-1].copy())
    lacking = replace(heart, views=heart.views[:1], planes=heart.planes[:1])
    one, other, third = reconstructed(network, [heart, turned, lacking])
    assert one == pytest.approx(other, abs=1e-6)
    assert np.abs(one - third).max() > 1e-3
    assert reconstructed(network, []).shape == (0, 32, 32, 32)


def test_what_does_not_fit_the_network() -> None:
    network, heart = tiny("A4C"), ball(8, views=("A4C",))
    with pytest.raises(ValueError, match=r"volumes of 32 a side, a target is \(64, 64, 64\)"):
        ReconstructionTask(network, [heart], [ball(8, edge=64, views=("A4C",))])
    with pytest.raises(ValueError, match="not built for view 'A2C'"):
        ReconstructionTask(network, [ball(8)])
    with pytest.raises(ValueError, match="there is no loss 'best', there are cross-entropy"):
        ReconstructionTask(network, [heart], loss="best")


@pytest.mark.parametrize("fused", [True, False])
def test_half_the_precision_gives_nearly_the_same_loss_and_gradients_that_are_numbers(fused: bool) -> None:
    network = tiny(fused=fused)
    hearts = [ball(8), replace(ball(8), views=("A2C",), planes=ball(8).planes[:1])]
    task = ReconstructionTask(network, hearts)
    whole = _loss(task)
    with torch.autocast("cpu", torch.bfloat16):
        loss = task.loss(np.arange(2), torch.Generator(), CPU)
    loss.backward()
    assert loss.item() == pytest.approx(whole, rel=0.02)
    assert all(weights.grad is not None and weights.grad.isfinite().all() for weights in network.parameters())
