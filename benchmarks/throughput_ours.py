"""The speed of what this project does: `training.train` of a task, and the functions that ask a network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.throughput_subjects import CLASSES, STRUCTURES, Subject, frames_of
from shared_models.batches import batches
from shared_models.contour_network import contour_network, said
from shared_models.contour_training import Contoured, ContourTask, contours
from shared_models.expert_training import Examples, ExpertTask, Presentation, new_expert
from shared_models.recipe import Precision, Recipe
from shared_models.segmentation import Masked, SegmentationTask, segmented
from shared_models.training import Task, train
from shared_models.unet import unet

if TYPE_CHECKING:
    pass

MEAN, DEVIATION = 0.2, 0.2  # of grey levels at a site
RATE = 1e-3


class Ours:
    """A network of ours, its task and its answers.

    Attributes:
        task: what it learns, with its network.
    """

    def __init__(self, subject: Subject) -> None:
        import torch

        self._subject, self._frames = subject, frames_of(subject.images, subject.side)
        self._recipe = Recipe(epochs=1, batch=subject.batch, rate=RATE, seed=0, optimiser="adam")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.task = self._task()

    def learn(self, precision: Precision = "float32") -> None:
        """All images once."""
        train(self.task, replace(self._recipe, precision=precision), device="cpu")

    def load(self) -> None:
        """All batches as for learning, but the network sees none of them."""
        import torch

        def stop(_layer: object, _given: object) -> None:
            raise _Enough

        first = next(layer for layer in self.task.network.modules() if isinstance(layer, torch.nn.Conv2d))
        random, hook = torch.Generator().manual_seed(0), first.register_forward_pre_hook(stop)
        for rows in batches(0, self._subject.images, self._recipe):
            try:
                self.task.loss(rows, random, torch.device("cpu"))
            except _Enough:
                continue
        hook.remove()

    def ask(self) -> None:
        """All images once."""
        images = self._frames.images
        if isinstance(self.task, ExpertTask):
            self.task.expert.look(images, MEAN, DEVIATION)
        elif isinstance(self.task, SegmentationTask):
            segmented(self.task.network, images)
        else:
            contours(self.task.network, images)

    def step(self, precision: Precision) -> None:
        """The forward and backward pass of one step."""
        import torch

        rows = np.arange(self._subject.batch)
        self.task.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = self.task.loss(rows, torch.Generator().manual_seed(0), torch.device("cpu"))
        loss.backward()

    def forward(self, precision: Precision) -> None:
        """The forward pass of one batch, as when the network is asked."""
        import torch

        network, side = self.task.network.eval(), self._subject.side
        shown = torch.zeros((self._subject.batch, 1, side, side))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            said(network, shown) if self._subject.kind == "contours" else network(shown)

    def _task(self) -> Task:
        subject, frames = self._subject, self._frames
        if subject.kind == "masks":
            network = unet(1 + len(STRUCTURES), subject.side, subject.width)
            return SegmentationTask(network, subject.side, Masked(frames.images, frames.masks))
        if subject.kind == "contours":
            network = contour_network(subject.side, subject.width)
            return ContourTask(network, subject.side, Contoured(frames.images, frames.points))
        expert = new_expert(
            "small_resnet18", {"classes": CLASSES, "side": subject.side, "width": subject.width}, seed=0
        )
        examples = Examples(frames.images, frames.labels, MEAN, DEVIATION, frames.sectors)
        return ExpertTask(expert, examples, presentation=Presentation("none" if subject.kind == "views" else "backmix"))


class _Enough(Exception):  # noqa: N818  # no error
    """The network would be next."""


def plain_network(subject: Subject) -> Any:
    """The same network as its library makes it: in PyTorch's own memory format, with MONAI's instance norm."""
    import torch

    network = Ours(subject).task.network
    for name, layer in list(network.named_modules()):
        if isinstance(layer, torch.nn.GroupNorm):
            network.set_submodule(name, torch.nn.InstanceNorm2d(layer.num_channels))
    return network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
