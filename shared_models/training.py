"""The one training loop, for every network here.

What is learnt is a `Task`: a network, its loss on some rows, and what a validation finds. How it is learnt is a
`Recipe`. All randomness of a step comes from the seed and the step's number, and the checkpoint holds everything that
changes, so that a training that was stopped, or killed, ends on a CPU in the same bits as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from shared_models.batches import Rows, batches, seeds
from shared_models.early_stop import Epoch, best_epoch, is_over
from shared_models.recipe import EPOCH, LEAST, LOSS, Recipe
from shared_models.schedules import rate_at
from shared_models.training_folder import TrainingFolder
from shared_models.training_state import TrainingState

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "cuda"]
BFLOAT16 = ("avx512_bf16", "amx_bf16")  # instructions of processors


class Task(Protocol):
    """What is learnt."""

    @property
    def network(self) -> torch.nn.Module:
        """In training mode for losses, in evaluation mode for the validation; on the device asked for."""

    @property
    def examples(self) -> int:
        """How many there are, numbered from 0."""

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

    chosen = chosen_device(device)
    if task.examples < LEAST:
        raise ValueError(f"there are {task.examples} examples to learn from; {LEAST} are the fewest")
    with torch.random.fork_rng(devices=[chosen] if chosen.type == "cuda" else []):
        run = _Run(task, recipe, chosen, folder)
        while not is_over(run.state.history, recipe):
            run.epoch(watch)
        return run.finished()


class _Run:
    """One call of `train`."""

    def __init__(self, task: Task, recipe: Recipe, device: torch.device, folder: Path | None) -> None:
        import torch

        self.task, self.recipe, self.device = task, recipe, device
        self.folder = TrainingFolder(folder, recipe, task.examples, task.network) if folder else None
        self.state = TrainingState(task.network.to(device), recipe)
        self.generator = torch.Generator()
        self.precision = _precision(recipe, device)
        self.steps = len(batches(0, task.examples, recipe))
        if self.folder:
            self.folder.resume(self.state)

    def epoch(self, watch: Watch | None) -> None:
        """One epoch with its validation and its checkpoint."""
        state, number = self.state, len(self.state.history) + 1
        loss = self._learn(number, watch)
        found = state.validated(self.task.validate)
        state.history.append({EPOCH: number, LOSS: loss} | found)
        if self.recipe.metric and best_epoch(state.history, self.recipe) == number:
            state.keep()
        if self.folder:
            self.folder.write(state)
        if watch:
            watch(Progress(number, self.recipe.epochs, self.steps, self.steps, loss, found))

    def _learn(self, epoch: int, watch: Watch | None) -> float:
        """The steps of an epoch, from 1; their mean loss."""
        first = (epoch - 1) * self.steps
        rows_of_steps = batches(epoch - 1, self.task.examples, self.recipe)
        seeds_of_steps = seeds(self.recipe.seed, first, self.steps)
        total, seen = 0.0, 0
        self.task.network.train()
        for number, (rows, seed) in enumerate(zip(rows_of_steps, seeds_of_steps, strict=True)):
            total += len(rows) * self._step(first + number, rows, seed)
            seen += len(rows)
            if watch:
                watch(Progress(epoch, self.recipe.epochs, number + 1, self.steps, total / seen))
        if not all(bool(weights.isfinite().all()) for weights in self.task.network.parameters()):
            raise ValueError(f"training went astray in epoch {epoch}: weights are no longer numbers")
        return total / seen

    def _step(self, number: int, rows: Rows, seed: tuple[int, int]) -> float:
        import torch

        recipe, optimiser = self.recipe, self.state.optimiser
        steps = recipe.epochs * self.steps
        rate = rate_at(number, steps, rate=recipe.rate, schedule=recipe.schedule, warm_up=recipe.warm_up)
        for group in optimiser.param_groups:
            group["lr"] = rate
        self._seed(*seed)
        with self.precision:
            loss = self.task.loss(rows, self.generator, self.device)
        optimiser.zero_grad()
        loss.backward()
        if recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.task.network.parameters(), recipe.clip)
        optimiser.step()
        if self.state.average:
            self.state.average.update(self.task.network, number + 1)
        value = float(loss.detach())  # waits for the device, hence last
        if not math.isfinite(value):
            raise ValueError(f"training went astray at step {number}: its loss is {value}")
        return value

    def _seed(self, task: int, network: int) -> None:
        import torch

        self.generator.manual_seed(task)
        torch.default_generator.manual_seed(network)  # `torch.manual_seed` asks for all devices, which takes longer
        if self.device.type == "cuda":
            torch.cuda.manual_seed(network)

    def finished(self) -> Trained:
        """What came of it; the network has the weights that were kept."""
        kept = self.state.shown() if self.state.best is None else self.state.best
        state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in kept.items()}
        self.state.network.load_state_dict(state)
        self.state.network.eval()
        history = tuple(self.state.history)
        return Trained(len(history), best_epoch(history, self.recipe), history, state)


def chosen_device(device: Device) -> torch.device:
    """The device; "auto" is CUDA where there is one.

    Raises:
        ValueError: CUDA is asked for, and there is none.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device; choose the CPU")
    return torch.device(device)


def _precision(recipe: Recipe, device: torch.device) -> AbstractContextManager[Any]:
    import torch

    if recipe.precision == "bfloat16" or (recipe.precision == "auto" and multiplies_bfloat16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for products of bfloat16; others emulate them, which takes longer."""
    import torch

    if device.type == "cuda":
        return True
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in BFLOAT16)
