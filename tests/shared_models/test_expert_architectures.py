from __future__ import annotations

from typing import Any

import pytest
import torch

from shared_models.expert_architectures import (
    FEATURE,
    classifier_of,
    small_resnet_expert,
    timm_expert,
)

TOY: dict[str, Any] = {"architecture": "test_resnet", "classes": 3, "side": 32, "channels": 1}


def test_the_small_resnet_has_61_neural_means_a_width() -> None:
    network = small_resnet_expert(classes=3, side=12, width=4)
    assert network.get_buffer(FEATURE).shape == (61 * 4,)
    name, classifier = classifier_of(network)
    assert (name, classifier.in_features, classifier.out_features) == ("fc", 8 * 4, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_of_timm_takes_grey_or_colour(channels: int) -> None:
    network = timm_expert(**TOY | {"channels": channels})
    assert network(torch.zeros(2, channels, 32, 32)).shape == (2, 3)
    assert network.get_buffer(FEATURE).shape[0] > 0


def test_a_network_without_batch_norm_has_room_for_nothing() -> None:
    network = timm_expert("test_convnext", classes=2, side=32, channels=1)
    assert network.get_buffer(FEATURE).shape == (0,)
    assert classifier_of(network)[0] == "head.fc"


def test_shapes_are_known_without_memory() -> None:
    with torch.device("meta"):
        states = [small_resnet_expert(256, 1024, 128).state_dict(), timm_expert(**TOY | {"side": 1024}).state_dict()]
    assert {tensor.device.type for state in states for tensor in state.values()} == {"meta"}


def test_what_is_too_large_is_refused_before_it_is_made() -> None:
    with pytest.raises(ValueError, match=r"'vit_giant_patch14_224' has .* MiB of weights, more than 512"):
        timm_expert("vit_giant_patch14_224", classes=2, side=224, channels=3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"classes": 0}, "classes 0; 1 to 256 are taken"),
        ({"classes": 257}, "classes 257"),
        ({"side": 7}, "side 7; 8 to 1024 are taken"),
        ({"side": 10**9}, "side 1000000000"),
        ({"channels": 2}, "2 channels; 1 and 3 are taken"),
        ({"architecture": "resnet_of_mine"}, "timm has no architecture 'resnet_of_mine'"),
        ({"architecture": "vit_tiny_patch16_224"}, "'vit_tiny_patch16_224' cannot look at 32 pixels a side"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as told:
        timm_expert(**TOY | change)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("change", [{"classes": "3"}, {"side": 32.0}, {"channels": True}, {"architecture": 7}])
def test_what_is_no_number_or_no_name_is_a_type_error(change: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="no whole number"):
        timm_expert(**TOY | change)


def test_a_network_that_ends_otherwise_is_refused() -> None:
    class Two:
        def get_classifier(self) -> torch.nn.Module:
            return torch.nn.Sequential()

    with pytest.raises(ValueError, match="its classifier is not one linear layer"):
        classifier_of(Two())


def test_a_narrow_network_trains_on_images_of_64_pixels() -> None:
    network = small_resnet_expert(classes=3, side=64, width=8).train()
    network(torch.randn(8, 1, 64, 64)).sum().backward()
    assert all(weights.grad is not None for weights in network.parameters())
