"""Fused and unfused say the same of one view, missing views count for nothing, and the order of views matters not."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from shared_models.reconstruction.view_network import ViewNetwork
from tests.shared_models.reconstruction.tiny import planes, tiny


def _asked(network: ViewNetwork, shown: torch.Tensor, present: torch.Tensor | None = None) -> torch.Tensor:
    with torch.no_grad():
        return network(shown, present).refined


def _made_identity(fusing: Any) -> None:
    """The middle tap of the kernel is one, the batch norm does nothing; features after a ReLU are not negative."""
    convolution, norm, _ = fusing.children()
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.bias.zero_()
        convolution.weight[0, 0, 1, 1, 1] = 1
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.weight.fill_(1)
        norm.bias.zero_()


def test_fused_is_unfused_at_one_view_up_to_its_extra_layer() -> None:
    unfused, fused = tiny("A4C", fused=False), tiny("A4C", fused=True, seed=1)
    state = {name: tensor for name, tensor in unfused.state_dict().items() if not name.startswith("merger.")}
    missing, left = fused.load_state_dict(state, strict=False)
    assert left == []
    assert {name.partition(".")[0] for name in missing} == {"fusing"}
    shown = planes(2, 1)
    assert not torch.allclose(_asked(fused, shown), _asked(unfused, shown), atol=1e-3)
    _made_identity(fused.fusing)
    assert torch.allclose(_asked(fused, shown), _asked(unfused, shown), atol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("size", [32, 64])
def test_probabilities_of_the_size_asked_for(size: int, fused: bool) -> None:
    network = tiny("A4C", size=size, fused=fused)
    with torch.no_grad():
        found = network(planes(1, 1))
    for volumes in (found.coarse, found.refined):
        assert volumes.shape == (1, size, size, size)
        assert volumes.min() >= 0
        assert volumes.max() <= 1
    assert ((found.refined - found.coarse / 2) >= 0).all()


@pytest.mark.parametrize("fused", [True, False])
def test_what_stands_in_place_of_a_missing_view_does_not_matter(fused: bool) -> None:
    network = tiny(fused=fused)
    present = torch.tensor([[True, False], [True, True]])
    one, other = planes(2, 2), planes(2, 2)
    other[0, 1] = 1.0
    without, whole = _asked(network, one, present), _asked(network, one)
    assert torch.equal(without, _asked(network, other, present))
    assert not torch.equal(without[0], whole[0])
    assert torch.allclose(without[1], whole[1], atol=1e-6)


def test_merged_volumes_of_two_views_without_one_are_those_of_the_other() -> None:
    both, alone = tiny(fused=False), tiny("A2C", fused=False)
    alone.load_state_dict(both.state_dict())
    shown, present = planes(1, 2), torch.tensor([[False, True]])
    assert torch.allclose(_asked(both, shown, present), _asked(alone, shown[:, 1:]), atol=1e-6)


def test_one_view_at_a_time_gives_what_all_at_once_give() -> None:
    network, shown = tiny("PLAX,A4C,A2C", fused=False), planes(1, 3)
    seen: list[int] = []
    network.decoder.register_forward_hook(lambda _module, given, _out: seen.append(len(given[0])))
    apart = _asked(network, shown)
    assert torch.allclose(apart, network(shown).refined, atol=1e-6)
    assert seen == [1, 1, 1, 3]


@pytest.mark.parametrize("fused", [True, False])
def test_every_weight_learns(fused: bool) -> None:
    network = tiny(fused=fused).train()
    found = network(planes(2, 2))
    (found.coarse.square().mean() + found.refined.square().mean()).backward()
    still = [name for name, weights in network.named_parameters() if weights.grad is None]
    assert still == []


def test_nothing_that_is_missing_is_encoded() -> None:
    network = tiny()
    seen: list[int] = []
    network.encoder.register_forward_hook(lambda _module, given, _out: seen.append(len(given[0])))
    _asked(network, planes(2, 2), torch.tensor([[True, False], [True, True]]))
    assert seen == [3]


@pytest.mark.parametrize("shape", [(1, 3, 224, 224), (1, 2, 128, 128), (2, 224, 224)])
def test_planes_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"takes planes of \(2, 224, 224\) a heart"):
        tiny()(torch.zeros(shape))


def test_a_heart_without_a_view() -> None:
    with pytest.raises(ValueError, match="of one heart no view is given"):
        tiny()(planes(2, 2), torch.tensor([[True, True], [False, False]]))
