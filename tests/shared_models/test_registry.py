from __future__ import annotations

import pytest
import torch

from shared_models.registry import LABELS, MODELS, create_model, labels_of, state_form


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
    with pytest.raises(ValueError, match=r"1000000000|classes 0"):
        create_model("small_resnet18", **{"classes": 2, "side": 48, "width": 16} | config)


SMALL: dict[str, dict[str, int]] = {
    "unet": {"classes": 3, "side": 32, "width": 4, "levels": 3},
    "contour_network": {"side": 32, "width": 4, "levels": 3},
    "clip_encoder": {"side": 32, "width": 4, "dense": 8, "projected": 8, "levels": 2, "stride": 2, "cells": 2},
    "place_encoder": {"side": 32, "width": 4, "levels": 2, "channels": 2, "cells": 4},
    "diff_fourier_net": {"side": 32, "width": 2},
    "fourier_net": {"dimensions": 2, "channels": 2, "scale": 3},
    "fourier_net_plus": {"dimensions": 3, "channels": 2, "cascades": 2, "scale": 16},
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [0, -8, 10**6, 10**12])
def test_a_network_of_absurd_size_is_refused_before_memory_is_taken(name: str, size: int) -> None:
    assert state_form(name, **SMALL[name])
    for each in SMALL[name]:
        with pytest.raises(ValueError, match=rf"of {each} {size}; \d+ to \d+ are taken"):
            create_model(name, **SMALL[name] | {each: size})


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [True, 16.0, "16"])
def test_a_size_that_is_no_whole_number_is_a_type_error(name: str, size: float | str) -> None:
    for each in SMALL[name]:
        with pytest.raises(TypeError, match="no whole number"):
            create_model(name, **SMALL[name] | {each: size})


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("unet", {"width": 64, "side": 512}),
        ("unet", {"width": 256, "levels": 8, "side": 128}),
        ("unet", {"classes": 256, "side": 256}),
        ("contour_network", {"width": 64, "side": 512}),
        ("clip_encoder", {"width": 64, "side": 512}),
        ("clip_encoder", {"width": 256, "levels": 8, "side": 256}),
        ("clip_encoder", {"width": 64, "cells": 16, "dense": 4096}),
        ("place_encoder", {"width": 64, "side": 512}),
        ("place_encoder", {"width": 256, "levels": 8, "side": 256, "cells": 1}),
    ],
)
def test_sizes_that_are_absurd_together_are_refused(name: str, config: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"are the most|too much"):
        create_model(name, **SMALL[name] | config)


def test_a_network_that_segments_is_shown_grey_images_alone() -> None:
    with pytest.raises(TypeError, match="channels"):
        create_model("unet", **SMALL["unet"], channels=4)


@pytest.mark.parametrize(
    ("name", "setting"),
    [("fourier_net", "diffeomorphic"), ("fourier_net_plus", "diffeomorphic"), ("fourier_net_plus", "skip")],
)
def test_a_setting_of_registration_that_is_no_truth_value(name: str, setting: str) -> None:
    with pytest.raises(TypeError, match=f"{setting} 1, which is neither true nor false"):
        create_model(name, **SMALL[name] | {setting: 1})


def test_how_many_labels_a_network_speaks_of() -> None:
    assert set(LABELS) == set(MODELS)
    assert labels_of("unet", SMALL["unet"]) == 2
    assert labels_of("contour_network", SMALL["contour_network"]) is None
    assert labels_of("clip_encoder", SMALL["clip_encoder"]) is None
    assert labels_of("place_encoder", SMALL["place_encoder"]) is None
    assert labels_of("fourier_net", SMALL["fourier_net"]) is None
    assert labels_of("fourier_net_plus", SMALL["fourier_net_plus"]) is None
    assert labels_of("linear_head", {"features": 5, "labels": 3}) == 3
    assert labels_of("small_resnet18", {"classes": 4, "side": 32, "width": 4}) == 4
    with pytest.raises(ValueError, match="no model 'perceptron'"):
        labels_of("perceptron", {})


def test_every_name_is_a_valid_architecture_of_a_manifest() -> None:
    assert all(name.replace("_", "").isalnum() and name.islower() for name in MODELS)
