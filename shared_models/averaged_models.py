"""Networks that a federation may train in rounds: how each begins, and what a site does with it in a round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shared_models.linear_head import head_state, train_head

State = dict[str, NDArray[Any]]
Config = dict[str, bool | int | float | str]


@dataclass(frozen=True)
class Examples:
    """A site's training images, as a network reads them.

    Attributes:
        inputs: (n, M) features.
        labels: (n,) int64, numbers of the run's labels, not all of which need occur.
        weights: (n,) sample weights; only their proportions count.
    """

    inputs: NDArray[np.float64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class AveragedModel:
    """One network.

    Attributes:
        reads: what a site has to give it of an image.
        config: features, labels -> its configuration.
        start: configuration -> the state that a run begins with, the same wherever it is computed.
        train: state, configuration, examples, epochs, μ -> the state after so many epochs with the proximal term
            μ/2 ||w - state||²; the same numbers every time.
    """

    reads: Literal["features"]
    config: Callable[[int, int], Config]
    start: Callable[[Config], State]
    train: Callable[[State, Config, Examples, int, float], State]


def averaged_model(name: str) -> AveragedModel:
    """The network of a name.

    Raises:
        ValueError: no such name.
    """
    if name not in AVERAGED_MODELS:
        raise ValueError(f"no model '{name}' is trained in rounds, there are {', '.join(AVERAGED_MODELS)}")
    return AVERAGED_MODELS[name]


def _head_config(features: int, labels: int) -> Config:
    return {"features": features, "labels": labels}


def _zero_head(config: Config) -> State:
    """All answers alike: softmax regression is convex, so that nothing is gained by chance."""
    features, labels = int(config["features"]), int(config["labels"])
    return head_state(np.zeros((features, labels)), np.zeros(labels))


def _train_head(state: State, config: Config, examples: Examples, epochs: int, proximal: float) -> State:
    """An epoch is a step of L-BFGS, over all images at once."""
    start = state["weight"].T.astype(np.float64), state["bias"].astype(np.float64)
    weights, bias = train_head(
        examples.inputs,
        examples.labels,
        examples.weights,
        int(config["labels"]),
        seed=0,  # of the first weights, which are given
        start=start,
        proximal=proximal,
        steps=epochs,
    )
    return head_state(weights, bias)


AVERAGED_MODELS = {
    "linear_head": AveragedModel(reads="features", config=_head_config, start=_zero_head, train=_train_head),
}
