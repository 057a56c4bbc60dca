"""Networks that a federation may train in rounds: how each begins, and what a site does with it in a round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shared_models.averaged_networks import (
    MOST_VALUES,
    Config,
    State,
    begun,
    fresh,
    train_contour,
    train_encoder,
    train_pix2vox,
    train_registration,
    train_unet,
)
from shared_models.batch_norm_rounds import RE_ESTIMATED
from shared_models.linear_head import head_state, train_head
from shared_models.reconstruction.pix2vox import PRESETS

Reads = Literal["features", "images", "masks", "contours", "clips", "pairs", "hearts"]

BATCH, RATE = 32, 1e-3  # of networks that classify images, by Adam


@dataclass(frozen=True)
class Examples:
    """A site's training images, as a network that classifies reads them.

    Attributes:
        inputs: (n, M) features, or (n, S, S) grey levels.
        labels: (n,) int64, numbers of the run's labels, not all of which need occur.
        weights: (n,) sample weights; only their proportions count, and networks of images have no use for them.
    """

    inputs: NDArray[np.float64] | NDArray[np.uint8]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class AveragedModel:
    """One network.

    Attributes:
        task: of federations that may train it.
        reads: what a site has to give it: features or images with labels (`Examples`), images with label maps (a
            sequence of `segmentation.Masked`, whose values count the run's labels from 1), images with contours
            (`contour_training.Contoured`), windows of clips (`averaged_networks.Windows`), pairs of frames
            (`registration_training.ImagePairs`) or hearts with their volumes (a sequence of
            `reconstruction_training.Known`).
        config: features, labels -> what its configuration has to say.
        options: what else a configuration says, whole numbers or words by name, with what is taken where nothing is
            said.
        start: configuration -> the state that a run begins with, of the same tensors wherever it is made.
        train: state, configuration, examples, epochs, μ, seed -> the state after so many epochs with the proximal term
            μ/2 ||w - state||²; on a CPU the same numbers every time.
    """

    task: str
    reads: Reads
    config: Callable[[int, int], Config]
    options: Mapping[str, int | str]
    start: Callable[[Config], State]
    train: Callable[[State, Config, Any, int, float, int], State]


def averaged_model(name: str) -> AveragedModel:
    """The network of a name.

    Raises:
        ValueError: no such name.
    """
    if name not in AVERAGED_MODELS:
        raise ValueError(f"no model '{name}' is trained in rounds, there are {', '.join(AVERAGED_MODELS)}")
    return AVERAGED_MODELS[name]


def models_of(task: str) -> list[str]:
    """Names of the networks that federations of a task may train, the usual one first."""
    return [name for name, model in AVERAGED_MODELS.items() if model.task == task]


def config_of(model: AveragedModel, features: int, labels: int, options: Mapping[str, int | str]) -> Config:
    """A configuration with these options.

    Raises:
        ValueError: the network has no such option, or one of another kind.
    """
    unknown = sorted(set(options) - set(model.options))
    if unknown:
        raise ValueError(f"no option '{unknown[0]}', there are: {', '.join(model.options) or 'none'}")
    for name, value in options.items():
        if type(value) is not type(model.options[name]):
            kind = "a whole number" if isinstance(model.options[name], int) else "a word"
            raise ValueError(f"option '{name}' is {kind}, not '{value}'")
    return {**model.config(features, labels), **model.options, **options}


def start_of(model: AveragedModel, config: Config, features: int, labels: int) -> State:
    """The state that a run begins with, of a configuration that fits these features and labels.

    Raises:
        ValueError: it does not fit, or no such network can be built.
    """
    fixed = {name: value for name, value in config.items() if name not in model.options}
    if fixed != model.config(features, labels) or set(model.options) - set(config):
        raise ValueError("is not the network that these labels and features need")
    try:
        return model.start(config)
    except (TypeError, KeyError, RuntimeError) as error:
        raise ValueError(f"cannot be built ({error})") from error


def _head_config(features: int, labels: int) -> Config:
    return {"features": features, "labels": labels}


def _zero_head(config: Config) -> State:
    """All answers alike: softmax regression is convex, so that nothing is gained by chance."""
    features, labels = int(config["features"]), int(config["labels"])
    return head_state(np.zeros((features, labels)), np.zeros(labels))


def _train_head(state: State, config: Config, examples: Examples, epochs: int, proximal: float, seed: int) -> State:
    """An epoch is a step of L-BFGS, over all images at once."""
    start = state["weight"].T.astype(np.float64), state["bias"].astype(np.float64)
    weights, bias = train_head(
        examples.inputs.astype(np.float64, copy=False),
        examples.labels,
        examples.weights,
        int(config["labels"]),
        seed=seed,
        start=start,
        proximal=proximal,
        steps=epochs,
    )
    return head_state(weights, bias)


def _network_config(_features: int, labels: int) -> Config:
    return {"classes": labels}


def _start_resnet(config: Config) -> State:
    from shared_models.views import ExpertNetwork

    if int(config["width"]) * int(config["side"]) ** 2 > MOST_VALUES:
        raise ValueError(f"width {config['width']} at {config['side']} pixels a side takes too much memory in training")
    return ExpertNetwork("small_resnet18", config).state()


def _train_resnet(state: State, config: Config, examples: Examples, epochs: int, proximal: float, seed: int) -> State:
    """Cross-entropy over the site's own labels, so that it does not unlearn those that it has no image of."""
    from shared_models import expert_training
    from shared_models.anchoring import Anchoring, anchor_of
    from shared_models.continual import learn
    from shared_models.recipe import Recipe
    from shared_models.views import ExpertNetwork, load_state

    expert = ExpertNetwork("small_resnet18", config)
    load_state(expert.network, state)
    images = examples.inputs.astype(np.uint8, copy=False)
    grey = float(images.mean()) / 255, float(images.std()) / 255
    learn(
        expert,
        expert_training.Examples(images, examples.labels, *grey),
        columns=np.unique(examples.labels).tolist(),
        recipe=Recipe(epochs=epochs, batch=BATCH, rate=RATE, seed=seed, optimiser="adam"),
        penalty=Anchoring((anchor_of(expert.network),), proximal) if proximal else None,
    )
    return expert.state()


def _unet_config(_features: int, labels: int) -> Config:
    return {"classes": 1 + labels}


def _no_config(_features: int, _labels: int) -> Config:
    return {}


AVERAGED_MODELS = {
    "linear_head": AveragedModel(
        task="classification", reads="features", config=_head_config, options={}, start=_zero_head, train=_train_head
    ),
    "small_resnet18": AveragedModel(
        task="classification",
        reads="images",
        config=_network_config,
        options={"side": 64, "width": 16},
        start=_start_resnet,
        train=_train_resnet,
    ),
    "unet": AveragedModel(
        task="segmentation",
        reads="masks",
        config=_unet_config,
        options={"side": 128, "width": 16, "levels": 5},
        start=partial(begun, "unet"),
        train=train_unet,
    ),
    "contour_network": AveragedModel(
        task="contour",
        reads="contours",
        config=_no_config,
        options={"side": 128, "width": 16, "levels": 4, "shrunk": 2},
        start=partial(begun, "contour_network"),
        train=train_contour,
    ),
    "clip_encoder": AveragedModel(
        task="retrieval",
        reads="clips",
        config=_no_config,
        options={"side": 64, "width": 16, "levels": 3, "stride": 2, "cells": 6, "dense": 256, "projected": 128},
        start=partial(begun, "clip_encoder"),
        train=train_encoder,
    ),
    "diff_fourier_net": AveragedModel(
        task="registration",
        reads="pairs",
        config=_no_config,
        options={"side": 96, "width": 8},
        start=partial(begun, "diff_fourier_net"),
        train=train_registration,
    ),
    "pix2vox": AveragedModel(
        task="reconstruction",
        reads="hearts",
        config=_no_config,
        options={"size": 32, "views": "A4C,A2C", **PRESETS["small"], "batch_norm": RE_ESTIMATED},
        start=partial(fresh, "pix2vox"),
        train=train_pix2vox,
    ),
}
