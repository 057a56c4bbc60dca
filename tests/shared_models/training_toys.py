"""Something tiny to learn, with everything in it that could go wrong when a training goes on after it was stopped."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from shared_models.batches import Rows
from shared_models.recipe import Recipe
from shared_models.training import Progress, train

RECIPE = Recipe(
    epochs=4,
    batch=16,
    rate=0.01,
    seed=3,
    schedule="cosine",
    warm_up=0.2,
    decay=0.01,
    clip=1.0,
    average=0.9,
    metric="right",
    samples_an_epoch=40,
)


class Toy:
    """Which of two clouds a point is of: batch norm, drop-out and noise on the points, validated on others."""

    def __init__(self, seed: int = 0, examples: int = 50) -> None:
        random = torch.Generator().manual_seed(17)
        self.examples = examples
        self.points = torch.randn((examples + 30, 6), generator=random)
        self.clouds = (self.points[:, 0] + self.points[:, 1] > 0).long()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network: Any = torch.nn.Sequential(
                torch.nn.Linear(6, 8),
                torch.nn.BatchNorm1d(8),
                torch.nn.ReLU(),
                torch.nn.Dropout(0.3),
                torch.nn.Linear(8, 2),
            )

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        points = self.points[rows]
        points = points + 0.3 * torch.randn(points.shape, generator=generator)
        return torch.nn.functional.cross_entropy(self.network(points.to(device)), self.clouds[rows].to(device))

    def validate(self) -> Mapping[str, float]:
        assert not self.network.training
        device = next(self.network.parameters()).device
        found = self.network(self.points[self.examples :].to(device)).argmax(1).cpu()
        return {"right": float((found == self.clouds[self.examples :]).float().mean())}


class Weight:
    """One weight w whose loss is a function of it, whatever the example."""

    def __init__(self, start: float, loss_of: str = "sum", examples: int = 4) -> None:
        self.network: Any = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(self.network.weight, start)
        self.examples = examples
        self.trace: list[float] = []
        self._loss_of = loss_of

    def loss(self, _rows: Rows, _generator: torch.Generator, _device: torch.device) -> torch.Tensor:
        weight = self.network.weight.sum()
        self.trace.append(float(weight.detach()))
        return {"sum": weight, "square": weight**2 / 2, "nothing": 0 * weight}[self._loss_of]

    def validate(self) -> Mapping[str, float]:
        return {}


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def hang(folder: Path) -> None:
    """Trains, says so in the middle of the third epoch, and waits to be killed."""

    def watch(progress: Progress) -> None:
        if (progress.epoch, progress.step) == (3, 2):
            sys.stdout.write("in the middle\n")
            sys.stdout.flush()
            time.sleep(60)

    train(Toy(), RECIPE, folder=folder, device="cpu", watch=watch)


if __name__ == "__main__":
    hang(Path(sys.argv[1]))
