"""The refined volume is the mean of the coarse one and of what the U-Net makes of it; skips are added."""

from __future__ import annotations

import pytest
import torch

from shared_models.reconstruction.refiner import Refiner


@pytest.mark.parametrize("channels", [(4, 8, 16), (2, 4, 8, 16)])
def test_the_side_stays(channels: tuple[int, ...]) -> None:
    edge = 4 * 2 ** len(channels)
    assert Refiner(channels, 8).eval()(torch.rand(1, edge, edge, edge)).shape == (1, edge, edge, edge)


def test_half_of_the_coarse_volume_stays() -> None:
    refiner = Refiner((4, 8), 8).eval()
    with torch.no_grad():
        refiner.last.weight.zero_()
    coarse = torch.rand(2, 16, 16, 16)
    assert torch.allclose(refiner(coarse), (coarse + 0.5) / 2)


def test_with_nothing_coming_up_the_first_skip_is_what_is_left() -> None:
    refiner = Refiner((4, 8), 8).eval()
    for weights in refiner.up.parameters():
        torch.nn.init.zeros_(weights)
    coarse = torch.rand(1, 16, 16, 16)
    first = refiner.down[0](coarse.unsqueeze(1))
    assert torch.allclose(refiner(coarse), (coarse + refiner.last(first).sigmoid()[:, 0]) / 2)
