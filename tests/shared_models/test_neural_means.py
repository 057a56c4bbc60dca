from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from shared_models.neural_means import Heard, batch_norm_means, evaluating, heard_in, listening
from shared_models.small_resnet import small_resnet18
from shared_models.timm_networks import timm_network


def images(count: int, side: int = 8) -> torch.Tensor:
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(0))


def state_of(network: Any) -> dict[str, np.ndarray]:
    return {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}


def test_the_paper_hears_17_convolutions_with_3904_values() -> None:
    with torch.device("meta"):
        heard = heard_in(small_resnet18(8), (1, 112, 112))
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    assert heard.convolutions == ("conv1", *(f"{block}.conv{number}" for block in blocks for number in (1, 2)))
    assert heard.norms == tuple(name.replace("conv", "bn") for name in heard.convolutions)
    assert (len(heard.convolutions), heard.channels) == (17, 3904)


@pytest.mark.parametrize("width", [4, 16])
def test_there_are_61_values_a_width(width: int) -> None:
    assert heard_in(small_resnet18(2, width), (1, 16, 16)).channels == 61 * width


def test_a_convolution_is_heard_if_a_batch_norm_reads_it() -> None:
    """By what happens to an image, not by the order in which layers were made."""

    class Toy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)
            self.unread = nn.Conv2d(3, 5, 1)
            self.shortcut = nn.Conv2d(1, 3, 1)
            self.read = nn.Conv2d(1, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.unread(self.norm(self.read(x)) + self.norm(self.shortcut(x)))

    assert heard_in(Toy(), (1, 4, 4)) == Heard(("read",), ("norm",), 3)


def test_means_are_of_the_convolutions_output_before_the_norm() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.ReLU()).eval()
    convolution: Any = network[0]
    with torch.no_grad():
        convolution.weight[:] = torch.tensor([2.0, -3.0]).view(2, 1, 1, 1)
        convolution.bias[:] = torch.tensor([0.5, 0.25])
    shown = images(3)
    with listening(network, heard_in(network, (1, 8, 8))) as found:
        network(shown)
    mean = shown.mean(dim=(1, 2, 3))
    assert torch.allclose(found["0"], torch.stack([2 * mean + 0.5, -3 * mean + 0.25], dim=1), atol=1e-6)


def test_nothing_is_left_on_the_network() -> None:
    network = small_resnet18(2, 4).train()
    before = state_of(network)
    heard = heard_in(network, (1, 8, 8))
    with listening(network, heard) as found:
        pass
    after = state_of(network)
    assert all(np.array_equal(array, after[name]) for name, array in before.items())
    network(images(2))
    assert found == {}
    assert network.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_the_mode_comes_back_even_after_an_error() -> None:
    network = small_resnet18(2, 4).train()

    def seen(channels: int) -> torch.Tensor:
        with evaluating(network):
            assert not network.training
            return network(torch.zeros(1, channels, 8, 8))

    assert not seen(1).requires_grad
    with pytest.raises(RuntimeError):
        seen(2)
    assert network.training
    assert network(images(2)).requires_grad


def test_a_network_without_such_convolutions_has_no_means() -> None:
    heard = heard_in(timm_network("test_vit", 2, in_chans=3), (3, 160, 160))
    assert heard == Heard((), (), 0)
    assert batch_norm_means({}, heard).shape == (0,)


def measured(network: Any, heard: Heard, shown: torch.Tensor) -> np.ndarray:
    with evaluating(network), listening(network, heard) as found:
        network(shown)
    return torch.cat([found[name].mean(dim=0) for name in heard.convolutions]).numpy()


def passes(network: Any, shown: torch.Tensor, count: int) -> None:
    with torch.no_grad():
        for _ in range(count):
            network.train()(shown)


def test_running_means_come_to_the_neural_mean_feature() -> None:
    """Whole-batch passes without learning: what training averages becomes what evaluation measures."""
    torch.manual_seed(0)
    network, shown = small_resnet18(2, 4), images(64, 16)
    heard = heard_in(network, (1, 16, 16))
    distances = []
    for _ in range(4):
        passes(network, shown, 30)
        distance = measured(network, heard, shown) - batch_norm_means(state_of(network), heard)
        distances.append(float(np.abs(distance).max()))
    assert distances[1] < distances[0] / 5
    assert distances[2] < distances[1] / 5
    assert distances[3] < 0.005  # deviations over n - 1 in training, which n do not quite reach


def test_the_first_running_mean_comes_by_a_tenth_a_pass() -> None:
    network, shown = small_resnet18(2, 4), images(16)
    heard = heard_in(network, (1, 8, 8))
    passes(network, shown, 3)
    running = batch_norm_means(state_of(network), heard)
    assert running.dtype == np.float32
    assert np.allclose(running[:4], (1 - 0.9**3) * measured(network, heard, shown)[:4], atol=1e-6)
