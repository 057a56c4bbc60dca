"""The one training loop, for every network here.

What is learnt is a `Task`: a network, its loss on some rows, and what a validation finds. How it is learnt is a
`Recipe`. All randomness of a step comes from the seed and the step's number, and the checkpoint holds everything that
changes, so that a training that was stopped, or killed, ends on a CPU in the same bits as if it had not been.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_models.checkpoint import digest_of, read_checkpoint, replace_file, write_checkpoint
from shared_models.schedules import Schedule, rate_at
from shared_models.training_state import Epoch, TrainingState

if TYPE_CHECKING:
    import torch

Rows = NDArray[np.int64]
Device = Literal["auto", "cpu", "cuda"]
Optimiser = Literal["adam", "adamw", "sgd"]
Precision = Literal["float32", "bfloat16", "auto"]

STREAM = 47  # of random numbers, apart from other uses of the same seeds
ORDER, STEP = 0, 1
CHECKPOINT, METRICS = "checkpoint.safetensors", "metrics.jsonl"
EPOCH, LOSS = "epoch", "loss"
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
        precision: of the forward pass; "auto" is bfloat16 on CUDA and float32 elsewhere.
        metric: of the validation, whose best epoch's weights are kept, the earliest of equal ones; "" for the last.
        patience: epochs without a better metric after which the training ends, if it may end early.
        samples_an_epoch: examples that an epoch sees at most, others each time.
        smallest: whether the metric is better the smaller it is.
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


class Task(Protocol):
    """What is learnt.

    Attributes:
        network: is in training mode for losses and in evaluation mode for the validation, on the device asked for.
        examples: how many there are, numbered from 0.
    """

    network: torch.nn.Module
    examples: int

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """The mean loss, a scalar, of examples by number, (b,).

        Args:
            rows: which examples.
            generator: of the step, on the CPU, so that every device draws the same.
            device: where the network is.
        """

    def validate(self) -> Mapping[str, float]:
        """Figures by name; none where there is nothing to validate on."""


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        epoch: from 1.
        epochs: at most.
        step: of the epoch, from 1.
        steps: of the epoch.
        loss: its mean over the epoch's examples so far.
        metrics: what the validation found, in the last word on an epoch, which its checkpoint precedes; None before.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    metrics: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        epochs: that were run.
        best_epoch: whose weights were kept, from 1.
        history: of every epoch its number, its mean loss and what the validation found.
        state: the weights that were kept, on the CPU; the network has them too.
    """

    epochs: int
    best_epoch: int
    history: tuple[Epoch, ...]
    state: dict[str, torch.Tensor]


Watch = Callable[[Progress], None]


def train(
    task: Task,
    recipe: Recipe,
    *,
    folder: Path | None = None,
    device: Device = "auto",
    watch: Watch | None = None,
) -> Trained:
    """Trains the task's network, or goes on with it.

    Args:
        task: what is learnt.
        recipe: how.
        folder: holds the checkpoint and, a line an epoch, the metrics; a training that was stopped goes on from there
            if its network is made anew with the weights it began with. None keeps nothing.
        device: where; "auto" is CUDA where there is one.
        watch: is told after every step and after every epoch.

    Raises:
        ValueError: a loss that is no number, a folder of another training or damaged, a task or recipe that cannot be.
    """
    import torch

    chosen = _chosen(device)
    if task.examples < LEAST:
        raise ValueError(f"there are {task.examples} examples to learn from; {LEAST} are the fewest")
    with torch.random.fork_rng(devices=[chosen] if chosen.type == "cuda" else []):
        run = _Run(task, recipe, chosen, folder)
        while not _over(run.state.history, recipe):
            run.epoch(watch)
        return run.finished()


class _Run:
    """One call of `train`."""

    def __init__(self, task: Task, recipe: Recipe, device: torch.device, folder: Path | None) -> None:
        import torch

        self.task, self.recipe, self.device, self.folder = task, recipe, device, folder
        self.generator = torch.Generator()
        self.said = {
            "recipe": asdict(recipe),
            "examples": task.examples,
            "start": digest_of(task.network.state_dict()) if folder else "",
        }
        self.state = TrainingState(task.network.to(device), recipe)
        self.precision = _precision(recipe, device)
        self.steps = len(batches(0, task.examples, recipe))
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            self._resume(folder / CHECKPOINT)

    def _resume(self, path: Path) -> None:
        if not path.exists():
            return
        tensors, said = read_checkpoint(path)
        history = said.pop("history")
        if other := _difference(said, self.said):
            raise ValueError(f"{path}: is of another training ({other}); choose another folder")
        self.state.load(tensors)
        self.state.history = history

    def epoch(self, watch: Watch | None) -> None:
        """One epoch with its validation and its checkpoint."""
        number = len(self.state.history)
        loss = self._learn(number, watch)
        self._require_numbers(number)
        found = self.state.validated(self.task.validate)
        self.state.history.append({EPOCH: number + 1, LOSS: loss} | found)
        if best_of(self.state.history, self.recipe) == number:
            self.state.keep()
        self._write()
        if watch:
            watch(Progress(number + 1, self.recipe.epochs, self.steps, self.steps, loss, found))

    def _learn(self, epoch: int, watch: Watch | None) -> float:
        self.state.network.train()
        total, seen, loss = 0.0, 0, 0.0
        for number, rows in enumerate(batches(epoch, self.task.examples, self.recipe)):
            total += len(rows) * self._step(epoch * self.steps + number, rows)
            seen += len(rows)
            loss = total / seen
            if watch:
                watch(Progress(epoch + 1, self.recipe.epochs, number + 1, self.steps, loss))
        return loss

    def _step(self, number: int, rows: Rows) -> float:
        import torch

        recipe, optimiser = self.recipe, self.state.optimiser
        steps = recipe.epochs * self.steps
        rate = rate_at(number, steps, rate=recipe.rate, schedule=recipe.schedule, warm_up=recipe.warm_up)
        for group in optimiser.param_groups:
            group["lr"] = rate
        self._seed(number)
        with self.precision:
            loss = self.task.loss(rows, self.generator, self.device)
        optimiser.zero_grad()
        loss.backward()
        if recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.task.network.parameters(), recipe.clip)
        optimiser.step()
        if self.state.average:
            self.state.average.update(self.task.network, number + 1)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ValueError(f"training went astray at step {number}: its loss is {value}")
        return value

    def _seed(self, number: int) -> None:
        import torch

        first, second = seeds_of_step(self.recipe.seed, number)
        self.generator.manual_seed(first)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(second)
        else:
            torch.default_generator.manual_seed(second)

    def _require_numbers(self, epoch: int) -> None:
        state = self.state.network.state_dict().values()
        if not all(bool(tensor.isfinite().all()) for tensor in state if tensor.is_floating_point()):
            raise ValueError(f"training went astray in epoch {epoch + 1}: weights are no longer numbers")

    def _write(self) -> None:
        if not self.folder:
            return
        history = self.state.history
        write_checkpoint(self.folder / CHECKPOINT, self.state.tensors(), self.said | {"history": history})
        replace_file(self.folder / METRICS, "".join(_line(epoch) for epoch in history).encode())

    def finished(self) -> Trained:
        """What came of it; the network has the weights that were kept."""
        history = tuple(self.state.history)
        best = best_of(history, self.recipe)
        state = {name: tensor.detach().cpu().clone() for name, tensor in (self.state.best or {}).items()}
        self.state.network.load_state_dict(state)
        self.state.network.eval()
        return Trained(len(history), best + 1, history, state)


def batches(epoch: int, examples: int, recipe: Recipe) -> list[Rows]:
    """Rows of every step of an epoch, shuffled; one that is left over alone joins the step before."""
    order = np.random.default_rng([STREAM, ORDER, recipe.seed, epoch]).permutation(examples)
    order = order[: recipe.samples_an_epoch]
    ends = list(range(recipe.batch, len(order) - LEAST + 1, recipe.batch))
    return np.split(order, ends)


def seeds_of_step(seed: int, number: int) -> tuple[int, int]:
    """Two seeds of its own for every step: of the task's generator, and of what the network draws itself."""
    words = np.random.SeedSequence([STREAM, STEP, seed, number]).generate_state(2, np.uint64)
    return int(words[0] >> np.uint64(1)), int(words[1] >> np.uint64(1))


def best_of(history: list[Epoch] | tuple[Epoch, ...], recipe: Recipe) -> int:
    """The epoch, from 0, whose weights are kept: the first of the best by the metric, the last where none was found.

    Raises:
        ValueError: validations find something, but not that metric.
    """
    if not recipe.metric:
        return len(history) - 1
    if len(history[-1]) > LEAST and recipe.metric not in history[-1]:
        raise ValueError(f"the validation finds no '{recipe.metric}'")
    sign = -1 if recipe.smallest else 1
    found = [(sign * epoch.get(recipe.metric, math.nan), -number) for number, epoch in enumerate(history)]
    known = [pair for pair in found if not math.isnan(pair[0])]
    return -max(known)[1] if known else len(history) - 1


def _over(history: list[Epoch], recipe: Recipe) -> bool:
    if len(history) >= recipe.epochs:
        return True
    if not history or recipe.patience is None:
        return False
    return len(history) - 1 - best_of(history, recipe) >= recipe.patience


def _chosen(device: Device) -> torch.device:
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device; choose the CPU")
    return torch.device(device)


def _precision(recipe: Recipe, device: torch.device) -> AbstractContextManager[Any]:
    import torch

    if recipe.precision == "bfloat16" or (recipe.precision == "auto" and device.type == "cuda"):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def _difference(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first thing in which two trainings differ, in words; "" where nothing does."""
    for name, value in wanted["recipe"].items():
        if (other := there["recipe"].get(name)) != value:
            return f"{name} {other}, not {value}"
    if there["examples"] != wanted["examples"]:
        return f"{there['examples']} examples, not {wanted['examples']}"
    return "" if there["start"] == wanted["start"] else "it began with another network or other weights"


def _line(epoch: Epoch) -> str:
    return json.dumps({name: value if math.isfinite(value) else None for name, value in epoch.items()}) + "\n"
