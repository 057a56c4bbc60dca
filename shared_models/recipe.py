"""How a network is trained: everything that a person chooses, and nothing that the data decide."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

from shared_models.schedules import Schedule

Optimiser = Literal["adam", "adamw", "sgd"]
Precision = Literal["float32", "bfloat16", "auto"]

EPOCH, LOSS = "epoch", "loss"  # what an epoch's line says beside the figures of its validation
LEAST = 2  # examples a step: of one alone, batch norm cannot take a deviation


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: how often every example is seen, at most.
        batch: examples a step.
        rate: of learning, at its highest.
        seed: of the order of examples and of all that is random in a step.
        optimiser: which one.
        decay: of the weights.
        schedule: of the rate, after the warm-up.
        warm_up: share of the steps in which the rate rises.
        clip: the greatest norm of a step's gradient, if there is one.
        average: decay of the moving average of the weights, if they are averaged; then the average is asked and kept.
        precision: of the forward pass; "auto" is bfloat16 on CUDA and on processors that multiply it, else float32.
        metric: of the validation, whose best epoch's weights are kept, the earliest of equal ones; "" for the last.
        patience: epochs without a better metric after which the training ends, if it may end early.
        samples_an_epoch: examples that an epoch sees at most, others each time.
        smallest: whether the metric is better the smaller it is.

    Raises:
        ValueError: a value that cannot be.
    """

    epochs: int
    batch: int
    rate: float
    seed: int
    optimiser: Optimiser = "adamw"
    decay: float = 0.0
    schedule: Schedule = "constant"
    warm_up: float = 0.0
    clip: float | None = None
    average: float | None = None
    precision: Precision = "float32"
    metric: str = ""
    patience: int | None = None
    samples_an_epoch: int | None = None
    smallest: bool = False

    def __post_init__(self) -> None:
        self._require_among("optimiser", get_args(Optimiser))
        self._require_among("schedule", get_args(Schedule))
        self._require_among("precision", get_args(Precision))
        for name, least in (("epochs", 1), ("batch", LEAST), ("seed", 0), ("patience", 1), ("samples_an_epoch", LEAST)):
            self._require(name, f"{least} or more", partial(operator.le, least))
        self._require("rate", "more than 0", lambda value: value > 0)
        self._require("decay", "0 or more", lambda value: value >= 0)
        self._require("warm_up", "from 0 to 1", lambda value: 0 <= value <= 1)
        self._require("clip", "more than 0", lambda value: value > 0)
        self._require("average", "from 0 to less than 1", lambda value: 0 <= value < 1)
        self._require("metric", "of the validation", lambda value: value not in (EPOCH, LOSS))
        if self.patience is not None and not self.metric:
            raise ValueError("patience is given, but no metric to wait for")

    def _require_among(self, name: str, known: tuple[str, ...]) -> None:
        self._require(name, f"one of {', '.join(known)}", lambda value: value in known)

    def _require(self, name: str, what: str, holds: Callable[[Any], bool]) -> None:
        value = getattr(self, name)
        if value is not None and not holds(value):
            raise ValueError(f"{name} {value!r} is not {what}")
