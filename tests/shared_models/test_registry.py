from __future__ import annotations

import pytest
import torch

from shared_models.registry import MODELS, create_model, state_form


def test_a_linear_head_has_the_shapes_its_configuration_says() -> None:
    state = create_model("linear_head", features=7, labels=3).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {"weight": (3, 7), "bias": (3,)}


def test_shapes_are_known_without_memory() -> None:
    with torch.device("meta"):
        state = create_model("linear_head", features=10**9, labels=10**6).state_dict()
    assert state["weight"].shape == (10**6, 10**9)
    assert state_form("linear_head", features=10**9, labels=10**6)["weight"] == ("float32", (10**6, 10**9))


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="there is no model 'perceptron', there are clip_encoder"):
        create_model("perceptron")


@pytest.mark.parametrize(
    "config", [{}, {"features": 3}, {"features": 3, "labels": 2, "depth": 1}, {"features": "a", "labels": 2}]
)
def test_a_wrong_configuration_is_a_type_error(config: dict[str, int | str]) -> None:
    with pytest.raises(TypeError):
        create_model("linear_head", **config)


@pytest.mark.parametrize("config", [{"width": 10**9}, {"classes": 10**9}, {"side": 10**9}, {"classes": 0}])
def test_an_absurd_expert_is_refused_before_memory_is_taken(config: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"1000000000|0 classes"):
        create_model("small_resnet18", **{"classes": 2, "side": 48, "width": 16} | config)


def test_every_name_is_a_valid_architecture_of_a_manifest() -> None:
    assert all(name.replace("_", "").isalnum() and name.islower() for name in MODELS)
