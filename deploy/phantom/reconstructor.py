"""Trains a network of reconstruction on phantom hearts and writes it down; one that was stopped goes on from there.

Beside FILE.safetensors a folder FILE.safetensors.unfinished holds the hearts and, after every epoch, the whole state of
the training. It goes when the network is there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deploy.phantom.acquisition import told
from deploy.phantom.orders import check_range, check_seed
from federated.errors import ConsiliumError
from shared_models.reconstruction.named_views import in_order
from shared_models.reconstruction.pix2vox import PRESETS, pix2vox
from shared_models.reconstruction.reconstruction_training import ReconstructionTask
from shared_models.reconstruction.shape_examples import EDGES, MOMENTS, TARGETS, Example, ShapePlan, Target
from shared_models.reconstruction.shape_folder import examples
from shared_models.reconstruction.volume_metrics import IOU
from shared_models.training import Progress, train
from site_agent.progress import TrainingBar, track
from site_agent.reconstruction.network_file import SUFFIX, NetworkCard, write_network
from site_agent.reconstruction.view_names import view_named

if TYPE_CHECKING:
    from shared_models.recipe import Recipe
    from shared_models.reconstruction.view_network import ViewNetwork

UNFINISHED = ".unfinished"
FEWEST, MOST_PATIENTS, MOST_EPOCHS = 4, 10_000, 1_000
HELD_OUT = 10  # one patient of so many is only asked about
PATIENTS_A_SEED = 10_000
LACKING = 0.3  # share of hearts that lack a view, so that a network bears that
MISSING = 17  # what of a patient is drawn
BATCH, RATE, WARM_UP, CLIP = 4, 1e-3, 0.05, 1.0
NETWORK = {**PRESETS["small"], "trunk": "test_resnet"}

Say = Callable[[str], None]


@dataclass(frozen=True)
class ReconstructorOrder:
    """What is asked for.

    Attributes:
        views: names of `NINE_PLANES`.
        size: voxels a side.
        target: what is to be found.
        patients: phantom patients, each at both ends of the beat, those held out included.
        epochs: how often every heart is learnt from.
        seed: all randomness comes from it.
    """

    views: tuple[str, ...] = ("A4C", "A2C")
    size: int = 32
    target: Target = "walls"
    patients: int = 600
    epochs: int = 4
    seed: int = 1

    def plan(self) -> ShapePlan:
        """Which hearts it learns from."""
        return ShapePlan(self.size, self.views, target=self.target)

    def card(self, learnt: Sequence[Example]) -> NetworkCard:
        """What is said of the network."""
        return NetworkCard(
            network={"size": self.size, "views": ",".join(self.views), **NETWORK},
            target=self.target,
            cube_mm=float(np.mean([one.spacing_mm * self.size for one in learnt])),
            hearts=len(learnt),
            source=f"phantom, seed {self.seed}",
        )


def _nothing(_line: str) -> None:
    pass


def train_reconstructor(path: Path, order: ReconstructorOrder, say: Say = _nothing) -> float:
    """Writes the network to `path`; what is there already is never replaced.

    Args:
        path: ends in .safetensors.
        order: what is asked for.
        say: is told a line after every epoch.

    Returns:
        The mean overlap of patients held out at a threshold of a half, 0 to 1.

    Raises:
        ConsiliumError: something that cannot be done, or `path` is there.
    """
    check_order(path, order)
    folder = path.with_name(path.name + UNFINISHED)
    with told(str(folder)):
        learnt, held = _hearts(order, folder / "hearts")
        card = order.card(learnt)
        network = _begun(card, order.seed)
        lacking = [_lacking(one, order.seed, number) for number, one in enumerate(learnt)]
        task = ReconstructionTask(network, lacking, held)
        with TrainingBar(IOU) as bar:

            def watch(progress: Progress) -> None:
                bar(progress)
                if progress.metrics is not None:
                    say(_line(progress))

            trained = train(task, _recipe(order), folder=folder / "training", device="auto", watch=watch)
    write_network(path, network.cpu(), card)
    shutil.rmtree(folder)
    return float(trained.history[-1][IOU])


def order_named(views: str, target: str, *, size: int, patients: int, epochs: int, seed: int) -> ReconstructorOrder:
    """An order whose views are named with commas, in any form that `consilium site reconstruct` takes.

    Raises:
        ConsiliumError: there is no such view or target, or a view is named twice.
    """
    if target not in TARGETS:
        raise ConsiliumError(f"there is no '{target}'; known are {', '.join(TARGETS)}", where="--target")
    names = [view_named(part, "--views") for part in views.split(",") if part.strip()]
    with told("--views"):
        return ReconstructorOrder(in_order(names), size, target, patients, epochs, seed)


def check_order(path: Path, order: ReconstructorOrder) -> None:
    """Refuses, before anything is computed, what cannot be done.

    Raises:
        ConsiliumError: in one line.
    """
    if path.suffix != SUFFIX:
        raise ConsiliumError(f"does not end in {SUFFIX}", where=str(path), cure=f"as in heart{SUFFIX}")
    if path.exists():
        raise ConsiliumError("is there already", where=str(path), cure="choose another file")
    if not path.parent.is_dir():
        raise ConsiliumError("there is no such folder", where=str(path.parent), cure="make it first")
    if order.size not in EDGES:
        raise ConsiliumError(f"{order.size} is none of {', '.join(map(str, EDGES))}", where="--size")
    check_range("--patients", order.patients, FEWEST, MOST_PATIENTS)
    check_range("--epochs", order.epochs, 1, MOST_EPOCHS)
    check_seed(order.seed)


def _hearts(order: ReconstructorOrder, folder: Path) -> tuple[list[Example], list[Example]]:
    """Hearts to learn from, and those of patients held out."""
    first = order.seed * PATIENTS_A_SEED
    made = examples(range(first, first + order.patients), order.plan(), folder)
    all_of_them = list(track(made, total=order.patients * len(MOMENTS), what="phantom hearts"))
    outside = max(1, order.patients // HELD_OUT) * len(MOMENTS)
    return all_of_them[outside:], all_of_them[:outside]


def _begun(card: NetworkCard, seed: int) -> ViewNetwork:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return pix2vox(**card.network)  # type: ignore[arg-type]  # of options that are its own


def _lacking(example: Example, seed: int, number: int) -> Example:
    """The heart as it is, or without one of its views."""
    generator = np.random.default_rng([seed, number, MISSING])
    if len(example.views) == 1 or generator.random() >= LACKING:
        return example
    gone = int(generator.integers(len(example.views)))
    left = [row for row in range(len(example.views)) if row != gone]
    return replace(example, views=tuple(example.views[row] for row in left), greys=example.greys[left])


def _recipe(order: ReconstructorOrder) -> Recipe:
    from shared_models.recipe import Recipe

    return Recipe(
        epochs=order.epochs,
        batch=BATCH,
        rate=RATE,
        seed=order.seed,
        optimiser="adam",
        schedule="cosine",
        warm_up=WARM_UP,
        clip=CLIP,
        precision="auto",
    )


def _line(progress: Progress) -> str:
    assert progress.metrics is not None
    found = f"loss {progress.loss:.3f}, overlap {progress.metrics[IOU]:.3f} in phantom patients held out"
    return f"epoch {progress.epoch} of {progress.epochs}: {found}"
