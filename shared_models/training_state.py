"""All that a training remembers between two epochs, as named tensors and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING

from shared_models.early_stop import Epoch
from shared_models.recipe import EPOCH, LOSS, Recipe
from shared_models.weight_average import WeightAverage, wearing

if TYPE_CHECKING:
    import torch

NETWORK, OPTIMISER, AVERAGE, BEST = "network.", "optimiser.", "average.", "best."
MOMENTUM = 0.9  # of stochastic gradient descent


class TrainingState:
    """A network under way.

    Attributes:
        network: as it is by now.
        optimiser: with what it remembers.
        average: of the weights, where the recipe asks for it.
        best: the state of the best epoch, once there is one.
        history: what is known of every epoch that is over.
    """

    def __init__(self, network: torch.nn.Module, recipe: Recipe) -> None:
        learnt = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
        if not learnt:
            raise ValueError("the network has nothing to learn: all its weights are frozen")
        self.network = network
        self.optimiser = new_optimiser(list(learnt.values()), recipe)
        self.average = None if recipe.average is None else WeightAverage(network, recipe.average)
        self.best: dict[str, torch.Tensor] | None = None
        self.history: list[Epoch] = []
        self._learnt = learnt

    def shown(self) -> dict[str, torch.Tensor]:
        """The state that is asked and kept: the average where there is one, else the weights as they are."""
        return self.network.state_dict() if self.average is None else self.average.state

    def validated(self, validate: Callable[[], Mapping[str, float]]) -> dict[str, float]:
        """What a validation finds of the state that is shown, in evaluation mode; the weights stay as they are.

        Raises:
            ValueError: it calls a figure as the loop calls one of its own.
        """
        import torch

        self.network.eval()
        with torch.no_grad(), wearing(self.network, self.average.state) if self.average else nullcontext():
            found = {name: float(value) for name, value in validate().items()}
        for name in (EPOCH, LOSS):
            if name in found:
                raise ValueError(f"a validation must not call what it finds '{name}', which the training itself does")
        return found

    def keep(self) -> None:
        """Holds the state that is shown as the best one."""
        self.best = {name: tensor.clone() for name, tensor in self.shown().items()}

    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything that changes, by name."""
        found = _named(NETWORK, self.network.state_dict())
        found |= _named(AVERAGE, self.average.state if self.average else {})
        found |= _named(BEST, self.best or {})
        names = list(self._learnt)
        for number, slots in self.optimiser.state_dict()["state"].items():
            kept = {f"{slot}.{names[number]}": tensor for slot, tensor in slots.items() if tensor is not None}
            found |= _named(OPTIMISER, kept)
        return found

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Goes on from `tensors` of a state of the same network under the same recipe."""
        self.network.load_state_dict(_under(NETWORK, tensors))
        self.best = self._placed(_under(BEST, tensors)) or None
        if self.average:
            self.average.state = self._placed(_under(AVERAGE, tensors))
        slots: dict[int, dict[str, torch.Tensor]] = {}
        numbers = {name: number for number, name in enumerate(self._learnt)}
        for name, tensor in _under(OPTIMISER, tensors).items():
            slot, _, parameter = name.partition(".")
            slots.setdefault(numbers[parameter], {})[slot] = laid_as(self._learnt[parameter], tensor)
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": slots, "param_groups": groups})

    def _placed(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        own = self.network.state_dict()
        return {name: laid_as(own[name], tensor) for name, tensor in state.items()}


def new_optimiser(learnt: list[torch.nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser: Adam (Kingma and Ba, 2015), AdamW (Loshchilov and Hutter, 2019), or plain descent.

    The decay of Adam and of plain descent is added to the gradient, that of AdamW taken off the weights.
    """
    import torch

    if recipe.optimiser == "sgd":
        return torch.optim.SGD(learnt, lr=recipe.rate, momentum=MOMENTUM, weight_decay=recipe.decay)
    kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
    return kind(learnt, lr=recipe.rate, weight_decay=recipe.decay)


def laid_as(pattern: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """A tensor on the device and in the order of memory of another of its shape; of no other, a copy."""
    import torch

    if tensor.shape != pattern.shape:
        return tensor.clone()
    return torch.empty_like(pattern, dtype=tensor.dtype, requires_grad=False).copy_(tensor)


def _named(prefix: str, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


def _under(prefix: str, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
