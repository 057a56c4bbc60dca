from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federated.tasks import TASKS
from shared_models.averaged_models import (
    AVERAGED_MODELS,
    Examples,
    State,
    averaged_model,
    config_of,
    models_of,
    start_of,
)
from shared_models.linear_head import predict_head, train_head
from shared_models.registry import create_model

FEATURES, LABELS = 5, 3
SMALL = {"side": 8, "width": 2}
SMALLEST: dict[str, int | str] = {
    "levels": 2,
    "shrunk": 1,
    "stride": 2,
    "cells": 1,
    "dense": 4,
    "projected": 4,
    "size": 32,
    "views": "A2C",
    "trunk": "test_resnet",
    "shrink": 32,
    "bottleneck": 4,
    "batch_norm": "re-estimated",
    **SMALL,
}


def _examples(seed: int = 0, images: int = 60) -> Examples:
    rng = np.random.default_rng(seed)
    labels = rng.integers(LABELS, size=images)
    centers = np.random.default_rng(1).normal(size=(LABELS, FEATURES))
    return Examples(centers[labels] + 0.5 * rng.normal(size=(images, FEATURES)), labels, np.ones(images))


def _train(state: State, examples: Examples, epochs: int, proximal: float) -> State:
    model = averaged_model("linear_head")
    return model.train(state, model.config(FEATURES, LABELS), examples, epochs, proximal, 0)


@pytest.fixture
def start() -> State:
    model = averaged_model("linear_head")
    return model.start(model.config(FEATURES, LABELS))


@pytest.mark.parametrize("name", AVERAGED_MODELS)
def test_a_run_begins_with_a_state_of_the_network_of_that_name(name: str) -> None:
    model = averaged_model(name)
    config = config_of(model, FEATURES, LABELS, {key: SMALLEST[key] for key in model.options})
    state = create_model(name, **config).state_dict()
    begun = start_of(model, config, FEATURES, LABELS)
    assert {key: (tuple(value.shape), str(value.dtype).removeprefix("torch.")) for key, value in state.items()} == {
        key: (value.shape, value.dtype.name) for key, value in begun.items()
    }
    assert all(np.isfinite(value).all() for value in begun.values())


@pytest.mark.parametrize(
    "change", [{"classes": 4}, {"width": 3}, {"width": "2"}, {"side": 10**6}, {"classes": 3.0}, {"more": 1}]
)
def test_a_configuration_of_another_network_is_refused(change: dict[str, Any]) -> None:
    model = averaged_model("small_resnet18")
    with pytest.raises(ValueError, match=r"is not the network|cannot be built|width|side"):
        start_of(model, config_of(model, FEATURES, LABELS, SMALL) | change, FEATURES, LABELS)
    with pytest.raises(ValueError, match="is not the network"):
        start_of(model, model.config(FEATURES, LABELS), FEATURES, LABELS)


def test_a_network_whose_training_would_take_all_memory_is_refused_before_any_is_taken() -> None:
    model = averaged_model("small_resnet18")
    for side, width in ((1024, 4), (256, 64)):
        with pytest.raises(ValueError, match=f"width {width} at {side} pixels a side takes too much memory"):
            start_of(model, config_of(model, FEATURES, LABELS, {"side": side, "width": width}), FEATURES, LABELS)
    assert start_of(model, config_of(model, FEATURES, LABELS, {"side": 1024, "width": 2}), FEATURES, LABELS)


def test_a_network_has_its_options_and_no_others() -> None:
    head, network = averaged_model("linear_head"), averaged_model("small_resnet18")
    assert config_of(network, FEATURES, LABELS, {"width": 8}) == {"classes": LABELS, "side": 64, "width": 8}
    with pytest.raises(ValueError, match="no option 'width', there are: none"):
        config_of(head, FEATURES, LABELS, {"width": 8})


def test_an_option_is_of_the_kind_that_it_has() -> None:
    network, hearts = averaged_model("small_resnet18"), averaged_model("pix2vox")
    with pytest.raises(ValueError, match="option 'width' is a whole number, not 'wide'"):
        config_of(network, FEATURES, LABELS, {"width": "wide"})
    with pytest.raises(ValueError, match="option 'views' is a word, not '4'"):
        config_of(hearts, FEATURES, LABELS, {"views": 4})
    for change in ({"views": "A9C"}, {"batch_norm": "local"}, {"size": 48}):
        with pytest.raises(ValueError, match=r"A9C|batch norms|size 48"):
            start_of(hearts, config_of(hearts, FEATURES, LABELS, change), FEATURES, LABELS)


def _pictures(*labels: int) -> Examples:
    """Grey levels that show their label."""
    rng = np.random.default_rng(0)
    column = np.repeat(labels, 8)
    shades = np.array([40, 120, 200])[column][:, None, None] + rng.integers(-20, 20, size=(len(column), 8, 8))
    return Examples(shades.astype(np.uint8), column, np.ones(len(column)))


def _taught(labels: tuple[int, ...], proximal: float = 0.0, seed: int = 1, epochs: int = 2) -> tuple[State, State]:
    """A small network before and after a round."""
    model = averaged_model("small_resnet18")
    config = config_of(model, FEATURES, LABELS, SMALL)
    begun = start_of(model, config, FEATURES, LABELS)
    return begun, model.train(begun, config, _pictures(*labels), epochs, proximal, seed)


def _moved(before: State, after: State) -> float:
    return float(sum(np.abs(after[name] - before[name]).sum() for name in before if name.endswith("weight")))


def test_a_network_of_images_learns_in_a_round_and_the_proximal_term_holds_it() -> None:
    begun, free = _taught((0, 1, 2), epochs=12)
    assert set(free) == set(begun)
    assert all(free[name].dtype == begun[name].dtype and free[name].shape == begun[name].shape for name in begun)
    assert _moved(begun, free) > 2 * _moved(*_taught((0, 1, 2), proximal=100.0, epochs=12)) > 0


def test_a_label_that_a_site_has_no_image_of_is_not_unlearnt() -> None:
    begun, after = _taught((0, 2))
    assert np.array_equal(after["fc.weight"][1], begun["fc.weight"][1])
    assert not np.array_equal(after["fc.weight"][0], begun["fc.weight"][0])


def test_a_round_of_a_network_gives_the_same_bytes_for_the_same_seed() -> None:
    one, two, other = (_taught((0, 1), seed=seed)[1] for seed in (1, 1, 2))
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)
    assert any(one[name].tobytes() != other[name].tobytes() for name in one)


def test_epochs_without_end_are_the_head_trained_alone(start: State) -> None:
    examples = _examples()
    alone = train_head(examples.inputs.astype(float), examples.labels, examples.weights, LABELS, seed=0)
    trained = _train(start, examples, 1000, 0.0)
    np.testing.assert_allclose(trained["weight"].T, alone[0], atol=2e-3)


def test_an_epoch_is_a_step_downhill(start: State) -> None:
    examples = _examples()
    losses = []
    for epochs in (1, 2, 5, 30):
        state = _train(start, examples, epochs, 0.0)
        right = predict_head(examples.inputs.astype(float), state["weight"].T, state["bias"])[
            range(60), examples.labels
        ]
        losses.append(-np.log(right).mean())
    assert np.log(LABELS) > losses[0] > losses[1] > losses[2] > losses[3]


def test_the_proximal_term_holds_the_state_near_the_global_model(start: State) -> None:
    rng = np.random.default_rng(3)
    given = {name: rng.normal(size=array.shape).astype(np.float32) for name, array in start.items()}
    examples = _examples()
    away = [
        float(sum(np.square(_train(given, examples, 50, mu)[name] - given[name]).sum() for name in given)) ** 0.5
        for mu in (0.0, 0.1, 10.0, 1e8)
    ]
    assert away[0] > away[1] > away[2] > away[3]
    assert away[3] < 1e-6


def test_the_same_round_gives_the_same_bytes(start: State) -> None:
    one, two = (_train(start, _examples(), 4, 0.3) for _ in range(2))
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)


def test_a_label_that_the_site_does_not_have_is_no_obstacle(start: State) -> None:
    examples = _examples()
    kept = examples.labels < 2
    trained = _train(start, Examples(examples.inputs[kept], examples.labels[kept], examples.weights[kept]), 5, 0.0)
    assert trained["weight"].shape == (LABELS, FEATURES)


def test_every_task_has_networks_that_are_trained_in_rounds() -> None:
    assert models_of("classification") == ["linear_head", "small_resnet18"]
    assert {task: models_of(task) for task in TASKS if task != "classification"} == {
        "segmentation": ["unet"],
        "contour": ["contour_network"],
        "retrieval": ["clip_encoder"],
        "registration": ["diff_fourier_net"],
        "reconstruction": ["pix2vox"],
    }
    assert models_of("grading") == []


def test_another_name_is_told_which_there_are() -> None:
    with pytest.raises(ValueError, match="no model 'cat' is trained in rounds, there are linear_head"):
        averaged_model("cat")
