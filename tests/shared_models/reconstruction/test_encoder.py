"""Normalisation is applied, and the fusing layer does what its formula says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from shared_models.reconstruction.encoder import Encoder, fusing_layer


@pytest.mark.parametrize(("size", "side"), [(32, 7), (64, 8), (128, 8)])
def test_features_are_as_large_as_the_decoder_wants(size: int, side: int) -> None:
    encoder = Encoder("test_resnet", size, (8, 8, 16)).eval()
    assert encoder(torch.rand(1, 224, 224)).shape == (1, 16, side, side)


def test_grey_is_normalised_as_imagenet_was() -> None:
    encoder = Encoder("test_resnet", 32, (8, 8, 8)).eval()
    seen: list[torch.Tensor] = []
    encoder.trunk.register_forward_hook(lambda _module, given, _out: seen.append(given[0]))
    encoder(torch.full((1, 224, 224), 0.5))
    wanted = [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225]
    assert seen[0].mean(dim=(0, 2, 3)).tolist() == pytest.approx(wanted, abs=1e-5)


def test_the_fusing_layer_convolves_over_channels_and_pixels() -> None:
    torch.manual_seed(0)
    layer: Any = fusing_layer(2).eval()
    features = torch.randn(1, 2, 5, 4, 4)
    kernel, bias = layer[0].weight, layer[0].bias
    padded = functional.pad(features, (1, 1, 1, 1, 1, 1))
    by_hand = (padded[0, :, 1:4, 0:3, 2:5] * kernel[0]).sum() + bias
    by_hand = functional.leaky_relu(by_hand / (1 + layer[1].eps) ** 0.5, 0.2)
    assert layer(features)[0, 0, 1, 0, 2].item() == pytest.approx(by_hand.item(), abs=1e-6)
