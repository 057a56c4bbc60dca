"""Saliencies of networks whose attention is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from shared_models.saliency import grad_cam, integrated_gradients, signed_gradients

SIDE = 16


def _linear() -> tuple[nn.Module, torch.Tensor]:
    """Class 0 is the upper half, class 1 the left half."""
    weights = torch.zeros((2, 1, SIDE, SIDE))
    weights[0, 0, : SIDE // 2] = 1
    weights[1, 0, :, : SIDE // 2] = 1
    layer = nn.Linear(SIDE * SIDE, 2, bias=False)
    layer.weight.data = weights.flatten(1)
    return nn.Sequential(nn.Flatten(), layer), weights


@pytest.mark.parametrize("label", [0, 1])
def test_gradients_of_a_linear_network_are_its_weights_times_the_image(label: int) -> None:
    network, weights = _linear()
    shown = torch.rand((3, 1, SIDE, SIDE)) + 0.1
    found = integrated_gradients(network, shown, torch.full((3,), label))
    assert found == pytest.approx((weights[label] * shown)[:, 0].numpy(), abs=1e-5)


def test_attributions_add_up_to_the_difference_of_logits() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
    shown, classes = torch.randn((5, 1, 8, 8)), torch.tensor([0, 1, 2, 1, 0])
    with torch.no_grad():
        rise = network(shown) - network(torch.zeros_like(shown))
    wanted = rise.gather(1, classes[:, None])[:, 0]
    assert torch.allclose(signed_gradients(network, shown, classes, 64).sum(dim=(1, 2, 3)), wanted, atol=1e-3)


def test_grad_cam_looks_where_the_class_is_seen() -> None:
    """One map that is the image, and a class that is its mean: it looks where the image is bright."""
    conv = nn.Conv2d(1, 1, 1, bias=False)
    conv.weight.data.fill_(1.0)
    network = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2, bias=False))
    network[3].weight.data = torch.tensor([[1.0], [-1.0]])
    shown = torch.zeros((1, 1, SIDE, SIDE))
    shown[0, 0, 2:6, 2:6] = 1
    found = grad_cam(network, conv, shown, torch.tensor([0]))
    assert (found > 0).sum() == 16
    assert np.argwhere(found[0] > 0).min() == 2
    assert not grad_cam(network, conv, shown, torch.tensor([1])).any()


def test_a_small_map_is_enlarged() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3, stride=4, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    found = grad_cam(network, network[0], torch.rand((2, 1, SIDE, SIDE)), torch.tensor([0, 1]))
    assert found.shape == (2, SIDE, SIDE)
    assert (found >= 0).all()
