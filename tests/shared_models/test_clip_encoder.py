"""Clips of any length are read, and time has no order in them."""

from __future__ import annotations

import pytest
import torch

from shared_models.clip_encoder import clip_encoder, encoded, retrieval_head


def _network() -> torch.nn.ModuleDict:
    torch.manual_seed(0)
    return clip_encoder(width=4, dense=8, projected=6).eval()


@pytest.mark.parametrize("length", [1, 5, 10])
def test_clips_of_any_length(length: int) -> None:
    assert encoded(_network(), torch.rand((3, length, 16, 16))).shape == (3, 6)


def test_the_order_of_frames_does_not_matter_and_neither_does_a_frame_twice() -> None:
    clips, network = torch.rand((2, 4, 16, 16)), _network()
    found = encoded(network, clips)
    assert torch.allclose(encoded(network, clips.flip(1)), found, atol=1e-5)
    assert torch.allclose(encoded(network, torch.cat([clips, clips], dim=1)), found, atol=1e-5)
    assert not torch.allclose(encoded(network, clips[:, :2]), found, atol=1e-5)


def test_two_clips_in_a_row_are_one_of_both() -> None:
    """The mean over ten frames is that of the means over five each, before the dense layer."""
    network = _network()
    first, second = torch.rand((2, 5, 16, 16)), torch.rand((2, 5, 16, 16))
    assert encoded(network, torch.cat([first, second], dim=1)).shape == (2, 6)


def test_the_published_sizes() -> None:
    network = clip_encoder()
    frames = sum(part.numel() for part in network["frames"].parameters())
    assert frames == (9 * 16 + 16) + (9 * 256 + 16) + 4 * 16 + (9 * 512 + 32) + (9 * 1024 + 32) + 4 * 32
    assert network.get_submodule("dense.0").weight.shape == (256, 32)
    assert network.get_submodule("projection.3").weight.shape == (512, 512)


def test_the_head_tells_two_things() -> None:
    assert retrieval_head(6, (8, 4)).eval()(torch.rand((3, 6))).shape == (3, 2)
    sizes = [layer.out_features for layer in retrieval_head() if isinstance(layer, torch.nn.Linear)]
    assert sizes == [2024, 1024, 512, 2]


@pytest.mark.parametrize(("levels", "stride", "least"), [(4, 2, 16), (8, 1, 9)])
def test_frames_that_would_shrink_to_nothing(levels: int, stride: int, least: int) -> None:
    small = clip_encoder(width=2, dense=4, projected=4, levels=levels, stride=stride, side=least).eval()
    assert encoded(small, torch.rand((1, 1, least, least))).shape == (1, 4)
    with pytest.raises(ValueError, match=f"too small for {levels} levels: take at least {least}$"):
        clip_encoder(levels=levels, stride=stride, side=least - 1)
