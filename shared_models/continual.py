"""One network that learns one site after another, where every site labels some of the classes.

Fine-tuning that expands (Bransby et al., a.6, 3): a bias-free output for each class, cross-entropy over the current
site's classes alone, so that the outputs of classes that it does not label stay as they are, and a backbone that goes
on learning. What holds the old knowledge, if anything does, is added to the loss (`distillation`, `anchoring`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from shared_models.expert_architectures import classifier_of
from shared_models.expert_training import ACCURACY, Examples, ExpertTask
from shared_models.recipe import Recipe
from shared_models.training import Device, Rows, Watch, chosen_device, train
from shared_models.views import ExpertNetwork, Scalar

if TYPE_CHECKING:
    import torch

Penalty = Callable[["torch.nn.Module", "torch.Tensor", "torch.Tensor"], "torch.Tensor"]
"""Of the network, the pictures it was shown and the logits it gave them, what is added to the loss."""


class ContinualTask(ExpertTask):
    """Cross-entropy over some of the classes, and a penalty.

    Attributes:
        columns: numbers of the classes over which probabilities add up to one.
        penalty: what is added; None for nothing.
    """

    def __init__(
        self,
        expert: ExpertNetwork,
        examples: Examples,
        validation: Examples | None,
        columns: Sequence[int],
        penalty: Penalty | None = None,
    ) -> None:
        super().__init__(expert, examples, validation)
        self.columns, self.penalty = list(columns), penalty
        self._place = places(self.columns)

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Mean cross-entropy over examples by number, and the penalty."""
        import torch

        shown = self.shown(rows, generator)
        logits = self.network(shown)
        labels = torch.from_numpy(self._place[self._train.labels[rows]]).to(device)
        loss = torch.nn.functional.cross_entropy(logits[:, self.columns], labels)
        return loss if self.penalty is None else loss + self.penalty(self.network, shown, logits)

    def validate(self) -> Mapping[str, float]:
        """The accuracy over the same classes, if there is anything to validate on."""
        held = self._validation
        if held is None or not len(held.labels):
            return {}
        return {ACCURACY: float(np.mean(best_of(self.expert, held, self.columns) == held.labels))}


def learn(
    expert: ExpertNetwork,
    examples: Examples,
    *,
    columns: Sequence[int],
    recipe: Recipe,
    validation: Examples | None = None,
    penalty: Penalty | None = None,
    device: Device = "auto",
    watch: Watch | None = None,
) -> None:
    """Goes on with a network on one site's images.

    Of one class alone, cross-entropy is 0 whatever the network says: nothing is learnt from such a site.

    Args:
        expert: changed in place; not frozen.
        examples: labels count the network's outputs.
        columns: over which cross-entropy is taken; all labels are among them.
        recipe: how; its decay is 0, or outputs that shall stay as they are would fade.
        validation: chooses the epoch that is kept; labels are among the columns.
        penalty: what is added to the loss.
        device: where.
        watch: is told how far it is.
    """
    expert.network.to(chosen_device(device))
    if len(columns) > 1:
        train(ContinualTask(expert, examples, validation, columns, penalty), recipe, device=device, watch=watch)


def open_network(architecture: str, config: Mapping[str, Scalar], seed: int) -> ExpertNetwork:
    """A network with random weights of the seed and bias-free outputs, to which more can be added."""
    expert = ExpertNetwork(architecture, config, seed)
    classifier_of(expert.network)[1].register_parameter("bias", None)
    return expert


def widen(expert: ExpertNetwork, classes: int, seed: int) -> None:
    """Adds outputs with random weights of the seed, up to a number of classes; those that are there stay.

    Raises:
        ValueError: fewer classes than there are.
    """
    import torch

    classifier = classifier_of(expert.network)[1]
    old = classifier.weight.detach()
    if classes < len(old):
        raise ValueError(f"{len(old)} classes cannot become {classes}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        new = torch.nn.Linear(classifier.in_features, classes, bias=False).weight.detach().to(old.device)
    new[: len(old)] = old
    classifier.weight = torch.nn.Parameter(new)
    classifier.out_features = expert.config["classes"] = classes


def joined(parts: Sequence[Examples]) -> Examples:
    """The images of several sites as one, each with the grey levels of its own site."""
    levels = [
        np.concatenate([np.broadcast_to(getattr(part, name), len(part.labels)) for part in parts])
        for name in ("mean", "deviation")
    ]
    images, labels = (np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "labels"))
    return Examples(images, labels, *levels)


def best_of(expert: ExpertNetwork, examples: Examples, columns: Sequence[int]) -> Rows:
    """(n,) the class with the largest logit of those in the columns."""
    logits = expert.look(examples.images, examples.mean, examples.deviation).logits
    return np.array(columns, dtype=np.int64)[logits[:, list(columns)].argmax(axis=1)]


def accuracy(expert: ExpertNetwork, parts: Sequence[Examples], columns: Sequence[int]) -> float:
    """Share of the images of all sites that are answered rightly among the columns; NaN without any image."""
    right = [best_of(expert, part, columns) == part.labels for part in parts]
    answered = np.concatenate([np.zeros(0, np.bool_), *right])
    return float(answered.mean()) if answered.size else float("nan")


def places(columns: Sequence[int]) -> Rows:
    """Where each class stands among the columns; -1, which no loss takes, for one that does not."""
    place = np.full(max(columns) + 1, -1, dtype=np.int64)
    place[list(columns)] = np.arange(len(columns))
    return place
