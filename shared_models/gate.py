"""Training of the gated fusion on what all experts say of the images of all sites (Bransby et al., step 11).

Cross-entropy of the merged labels; only the cross heads and the gate learn. At every arrival the network is built anew
for one expert more and trained again, from random weights as published, or from those of the network before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from shared_models.consultation import Consultation, Floats, Lesson, Reads, Rows
from shared_models.cross_heads import closed_form_heads
from shared_models.gate_network import Form, form_of, fused_scores, gate_network, seen
from shared_models.training import Device, Recipe, Watch, train

if TYPE_CHECKING:
    import torch

CrossHeads = Literal["trained", "closed form"]
State = dict[str, NDArray[np.float32]]
HEADS = "heads."
VALIDATED = 2048  # images at once
EPOCHS, BATCH, RATE, SAMPLES = 50, 64, 1e-3, 666 * 64


class GateTask:
    """The fusion as a task of the training loop; validates by weighted accuracy."""

    def __init__(self, network: torch.nn.Module, lesson: Lesson, validation: Lesson | None, reads: Reads) -> None:
        self.network, self.examples = network, lesson.answers.size
        self._lesson, self._validation, self._reads = lesson, validation, reads
        self._form = form_of(lesson.consulted, reads)
        self._weights = lesson.weights / lesson.weights.mean()

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:  # noqa: ARG002
        """Mean of the weighted cross-entropies, weights being one on average over all images."""
        import torch

        scores = fused_scores(self.network, self._form, seen(self._lesson.consulted, self._reads, rows, device))
        answers = torch.from_numpy(self._lesson.answers[rows]).to(device)
        weights = torch.from_numpy(self._weights[rows]).to(device, scores.dtype)
        return (weights * torch.nn.functional.cross_entropy(scores, answers, reduction="none")).mean()

    def validate(self) -> Mapping[str, float]:
        """``accuracy`` on the validation images, if there are any."""
        if self._validation is None or not self._validation.answers.size:
            return {}
        best = self._best(self._validation.consulted)
        right = best == self._validation.answers
        return {"accuracy": float(np.average(right, weights=self._validation.weights))}

    def _best(self, consulted: Consultation) -> Rows:
        device = next(iter(self.network.parameters())).device
        rows = np.arange(consulted.features.shape[0])
        found = [
            fused_scores(self.network, self._form, seen(consulted, self._reads, part, device)).argmax(dim=1).cpu()
            for part in np.array_split(rows, -(-rows.size // VALIDATED))
        ]
        return np.concatenate([part.numpy() for part in found])


def paper_recipe(seed: int) -> Recipe:
    """Adam at 1e-3, batches of 64, 50 epochs of at most 666 batches, the best validation accuracy."""
    return Recipe(
        epochs=EPOCHS,
        batch=BATCH,
        rate=RATE,
        seed=seed,
        optimiser="adam",
        metric="accuracy",
        samples_an_epoch=SAMPLES,
    )


def train_gate(
    lesson: Lesson,
    validation: Lesson | None,
    reads: Reads,
    recipe: Recipe,
    *,
    start: Mapping[str, Floats] | None = None,
    cross_heads: CrossHeads = "trained",
    folder: Path | None = None,
    device: Device = "auto",
    watch: Watch | None = None,
) -> State:
    """The state of a trained fusion: ``heads.{k}`` and ``gate.{i}``, each with weight (out, in) and bias, float32.

    Args:
        lesson: images of all sites so far.
        validation: of other patients, whose accuracy chooses the epoch; None keeps the last.
        reads: what the gate sees.
        recipe: how; its seed also draws the first weights.
        start: the state to begin with: of the same experts, or of those before the last arrivals, in the same order.
        cross_heads: in closed form, they come from `shared_models.cross_heads`, and only the gate learns.
        folder: as of `shared_models.training.train`, as are device and watch.
        device: where.
        watch: is told how far it is.

    Raises:
        ValueError: a start that does not fit, no discrepancies, or as of `train`.
    """
    form = form_of(lesson.consulted, reads)
    network = gate_network(form, recipe.seed)
    _begin_with(network, form, start or {})
    if cross_heads == "closed form":
        _begin_with(network, form, closed_form_heads(lesson, validation))
        network["heads"].requires_grad_(requires_grad=False)
    if len(form.sizes) > 1 and any(parameter.requires_grad for parameter in network.parameters()):
        task = GateTask(network, lesson, validation, reads)
        train(task, recipe, folder=folder, device=device, watch=watch)
    return {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}


def _begin_with(network: torch.nn.Module, form: Form, start: Mapping[str, Floats]) -> None:
    """Overwrites the corner that a state of the same or fewer experts fills: older inputs and outputs come first."""
    import torch

    experts = len({name.split(".")[1] for name in start if name.startswith(HEADS)})
    own, newer = network.state_dict(), sum(form.sizes[experts:])
    for name, values in start.items():
        there = tuple(own[name].shape) if name in own else ()
        fits = len(there) == values.ndim and all(less <= more for less, more in zip(values.shape, there, strict=True))
        if not fits or (name.startswith(HEADS) and values.shape[0] != there[0] - newer):
            raise ValueError(f"a start whose {name} is {values.shape} does not fit {there} after {experts} experts")
        own[name][tuple(slice(size) for size in values.shape)] = torch.from_numpy(values.astype(np.float32))
