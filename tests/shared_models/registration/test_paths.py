"""Both paths: sizes, and the same numbers with and without gradients."""

from __future__ import annotations

import torch

from shared_models.registration.paths import (
    Activated,
    ContractingPath,
    ExpandingPath,
    Expansion,
    convolution,
    enlargement,
)


def test_levels_halve_and_what_is_kept_is_given_in_order() -> None:
    path = ContractingPath(2, 2, [(3, 4), (5, 6), (7, 8)])
    found = path([torch.zeros((1, 2, 8, 12))], kept=(1,))
    assert [tuple(each.shape) for each in found] == [(1, 6, 4, 6), (1, 8, 2, 3)]


def test_the_expanding_path_uses_features_up() -> None:
    path = ExpandingPath(3, [Expansion(4, 3, (5, 6)), Expansion(6, 0, (2,))])
    features = [torch.zeros((1, 3, 4, 4, 4)), torch.zeros((1, 4, 2, 2, 2))]
    assert path(features).shape == (1, 2, 8, 8, 8)
    assert features == []


def test_without_gradients_it_is_the_same() -> None:
    torch.manual_seed(0)
    for layer in (convolution(2, 2, 3), convolution(3, 2, 3, stride=2), enlargement(2, 2)):
        assert isinstance(layer, Activated)
        torch.nn.init.constant_(layer.get_submodule("1").get_parameter("weight"), -0.3)
        values = torch.randn((2, 2, 6, 8) if "2d" in repr(layer) else (2, 2, 4, 6, 8))
        learnt = layer(values)
        kept = values.clone()
        with torch.inference_mode():
            assert torch.equal(layer(values), learnt)
        assert torch.equal(values, kept)
