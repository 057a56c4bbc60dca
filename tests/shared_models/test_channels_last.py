"""Laid out with the channels last, a network finds the same; what could not bear it stays as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shared_models.channels_last import bears_channels_last, channels_last
from shared_models.small_resnet import small_resnet18


def strided(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 2 * width, 1, stride=2))


@pytest.mark.parametrize(("width", "bears"), [(4, False), (14, False), (16, True), (64, True)])
def test_a_narrow_network_is_not_laid_out_so(width: int, bears: bool) -> None:
    """Its strided 1x1 convolutions would write beyond their memory in training."""
    for network, name in ((strided(width), "0.weight"), (small_resnet18(2, width), "layer2.0.conv1.weight")):
        assert bears_channels_last(network) is bears
        weights = channels_last(network).get_parameter(name)
        assert weights.is_contiguous(memory_format=torch.channels_last) is bears


@pytest.mark.parametrize(("layer", "layout"), [(nn.Conv2d, torch.channels_last), (nn.Conv3d, torch.channels_last_3d)])
def test_the_same_is_found_and_learnt(layer, layout) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(layer(2, 16, 3), nn.ReLU(), layer(16, 3, 3))
    given = torch.rand(2, 2, *(9,) * (layer is nn.Conv3d), 9, 9)

    def learnt():
        network.zero_grad()
        found = network(given)
        found.square().sum().backward()
        return found.detach().clone(), [weights.grad.clone() for weights in network.parameters()]

    found, gradients = learnt()
    assert channels_last(network) is network
    weights = network.get_parameter("2.weight")
    assert weights.is_contiguous(memory_format=layout)
    assert not weights.is_contiguous()
    again, others = learnt()
    torch.testing.assert_close(again, found)
    torch.testing.assert_close(others, gradients)
