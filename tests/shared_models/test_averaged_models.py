from __future__ import annotations

import numpy as np
import pytest

from shared_models.averaged_models import AVERAGED_MODELS, Examples, State, averaged_model
from shared_models.linear_head import predict_head, train_head
from shared_models.registry import create_model

FEATURES, LABELS = 5, 3


def _examples(seed: int = 0, images: int = 60) -> Examples:
    rng = np.random.default_rng(seed)
    labels = rng.integers(LABELS, size=images)
    centers = np.random.default_rng(1).normal(size=(LABELS, FEATURES))
    return Examples(centers[labels] + 0.5 * rng.normal(size=(images, FEATURES)), labels, np.ones(images))


def _train(state: State, examples: Examples, epochs: int, proximal: float) -> State:
    model = averaged_model("linear_head")
    return model.train(state, model.config(FEATURES, LABELS), examples, epochs, proximal)


@pytest.fixture
def start() -> State:
    model = averaged_model("linear_head")
    return model.start(model.config(FEATURES, LABELS))


@pytest.mark.parametrize("name", AVERAGED_MODELS)
def test_a_run_begins_with_a_state_of_the_network_of_that_name(name: str) -> None:
    model = averaged_model(name)
    config = model.config(FEATURES, LABELS)
    state = create_model(name, **config).state_dict()
    begun = model.start(config)
    assert {key: tuple(value.shape) for key, value in state.items()} == {k: v.shape for k, v in begun.items()}
    assert {str(value.dtype) for value in begun.values()} == {"float32"}


def test_epochs_without_end_are_the_head_trained_alone(start: State) -> None:
    examples = _examples()
    alone = train_head(examples.inputs, examples.labels, examples.weights, LABELS, seed=0)
    trained = _train(start, examples, 1000, 0.0)
    np.testing.assert_allclose(trained["weight"].T, alone[0], atol=2e-3)


def test_an_epoch_is_a_step_downhill(start: State) -> None:
    examples = _examples()
    losses = []
    for epochs in (1, 2, 5, 30):
        state = _train(start, examples, epochs, 0.0)
        right = predict_head(examples.inputs, state["weight"].T, state["bias"])[range(60), examples.labels]
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


def test_another_name_is_told_which_there_are() -> None:
    with pytest.raises(ValueError, match="no model 'cat' is trained in rounds, there are linear_head"):
        averaged_model("cat")
