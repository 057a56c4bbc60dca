"""The methods that find a contour in a frame, each learnt from the same frames: the contour network and its rivals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.contour_frames import CAVITY, WALL, Floats, Frames, Images
from benchmarks.contour_regression import RegressionTask, regressed, regression_network
from shared_models.contour_network import SHRUNK, contour_network
from shared_models.contour_refinement import refined
from shared_models.contour_training import (
    PUBLISHED,
    RECONSTRUCTED,
    Changes,
    ContourTask,
    Found,
    Strengths,
    at_side,
    contours,
)
from shared_models.long_axis import seven_points
from shared_models.mask_contour import outline
from shared_models.recipe import Recipe
from shared_models.segmentation import SegmentationTask, segmented
from shared_models.training import Task, train
from shared_models.unet import unet

if TYPE_CHECKING:
    import torch

TWO_HEADS, REFINED, AGREEING = "two heads", "two heads, refined", "two heads that agree"
FROM_MASKS = "two heads, taught by masks"
POINTS_ONLY, AS_RECONSTRUCTED = "points only", "two heads as reconstructed"
SEGMENTED, REGRESSED = "U-Net mask, landmarks from it", "ResNet-18 regression"
RATE = 1e-2
AGREEMENT = 0.3  # lambda_C
FINER = 2  # how many times finer than the network's pixels its mask is followed

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Setting:
    """How large everything is.

    Attributes:
        patients, tested: of each seed, to learn from and to be tested on.
        side, width, levels: of the networks.
        epochs: of each training.
        full_epochs: of the network as reconstructed, which is slower for each image.
        coarse: side of the regression's images.
        narrow: width of its network.
    """

    patients: int
    tested: int
    side: int
    width: int
    levels: int
    epochs: int
    full_epochs: int
    coarse: int
    narrow: int


@dataclass(frozen=True)
class Guessed:
    """What a method says of n frames.

    Attributes:
        points: (n, 7, 2) pixels of the frames.
        failed: (n,) where it found nothing, and the mean contour of what it learnt from stands instead.
    """

    points: Floats
    failed: Flags


def answers(learnt: Frames, tested: Frames, setting: Setting, seed: int) -> dict[str, Guessed]:
    """What each method, learnt from some frames, says of others."""
    found: dict[str, Guessed] = {}
    for name, ask in METHODS.items():
        found |= ask(name, learnt, tested, setting, seed)
    return found


def recipe(epochs: int, seed: int) -> Recipe:
    """The one of all methods."""
    return Recipe(epochs=epochs, batch=16, rate=RATE, seed=seed, schedule="cosine", warm_up=0.05, clip=5.0)


def _two_heads(name: str, learnt: Frames, tested: Frames, setting: Setting, seed: int) -> dict[str, Guessed]:
    """With and without refinement, which takes no training."""
    found, side = _heard(learnt, tested, setting, seed), setting.side
    moved = np.stack([refined(points, near, side) for points, near in zip(found.points, found.distance, strict=True)])
    return {name: _sure(found.points, tested, side), REFINED: _sure(moved, tested, side)}


def _taught_by_masks(name: str, learnt: Frames, tested: Frames, setting: Setting, seed: int) -> dict[str, Guessed]:
    """The targets are read off true masks, as a rival's answers are off its own."""
    targets = followed(list(learnt.masks), learnt, learnt).points
    found = _heard(replace(learnt, points=targets), tested, setting, seed)
    return {name: _sure(found.points, tested, setting.side)}


def _points_only(name: str, learnt: Frames, tested: Frames, setting: Setting, seed: int) -> dict[str, Guessed]:
    found = _heard(learnt, tested, setting, seed, Strengths(distance=0.0))
    return {name: _sure(found.points, tested, setting.side)}


def _agreeing(name: str, learnt: Frames, tested: Frames, setting: Setting, seed: int) -> dict[str, Guessed]:
    found = _heard(learnt, tested, setting, seed, Strengths(agreement=AGREEMENT))
    return {name: _sure(found.points, tested, setting.side)}


def _as_reconstructed(name: str, learnt: Frames, tested: Frames, setting: Setting, seed: int) -> dict[str, Guessed]:
    """Every step as the notes have it, but for the size; in about the same time."""
    shorter = replace(setting, epochs=setting.full_epochs)
    found = _heard(learnt, tested, shorter, seed, PUBLISHED, RECONSTRUCTED, shrunk=1)
    return {name: _sure(found.points, tested, setting.side)}


def _heard(
    learnt: Frames,
    tested: Frames,
    setting: Setting,
    seed: int,
    strengths: Strengths | None = None,
    changes: Changes | None = None,
    shrunk: int = SHRUNK,
) -> Found:
    """What a contour network says."""
    network = _fresh(lambda: contour_network(setting.side, setting.width, setting.levels, shrunk), seed)
    task = ContourTask(network, setting.side, learnt.contoured, strengths=strengths, changes=changes)
    _learn(task, setting.epochs, seed)
    return contours(network, at_side(tested.contoured, setting.side).images)


def _from_masks(name: str, learnt: Frames, tested: Frames, setting: Setting, seed: int) -> dict[str, Guessed]:
    """A U-Net's mask, enlarged between its pixels, followed as a true one is."""
    network = _fresh(lambda: unet(1 + WALL, setting.side, setting.width, setting.levels), seed)
    _learn(SegmentationTask(network, setting.side, learnt.masked), setting.epochs, seed)
    images = at_side(tested.contoured, setting.side).images
    masks = [_enlarged(each) for each in segmented(network, images).probabilities]
    return {name: followed(masks, tested, learnt)}


def _regressed(name: str, learnt: Frames, tested: Frames, setting: Setting, seed: int) -> dict[str, Guessed]:
    network = _fresh(lambda: regression_network(setting.narrow), seed)
    _learn(RegressionTask(network, setting.coarse, learnt.contoured), setting.epochs, seed)
    points = regressed(network, at_side(tested.contoured, setting.coarse).images)
    return {name: _sure(points, tested, setting.coarse)}


Method = Callable[[str, Frames, Frames, Setting, int], dict[str, Guessed]]
METHODS: dict[str, Method] = {
    TWO_HEADS: _two_heads,
    FROM_MASKS: _taught_by_masks,
    POINTS_ONLY: _points_only,
    AGREEING: _agreeing,
    AS_RECONSTRUCTED: _as_reconstructed,
    SEGMENTED: _from_masks,
    REGRESSED: _regressed,
}
NAMES = (TWO_HEADS, REFINED, FROM_MASKS, POINTS_ONLY, AGREEING, AS_RECONSTRUCTED, SEGMENTED, REGRESSED)


def followed(masks: list[Images], tested: Frames, learnt: Frames) -> Guessed:
    """Seven points of each mask; where one has no outline, the mean contour of what was learnt from."""
    otherwise = learnt.points.mean(axis=0)
    side = tested.images.shape[1]
    points, failed = [], []
    for mask in masks:
        seven = seven_of(mask)
        failed.append(seven is None)
        points.append(otherwise if seven is None else _between(seven, mask.shape[0], side))
    return Guessed(np.stack(points), np.array(failed))


def seven_of(mask: Images) -> Floats | None:
    """The seven points of a mask's outline, if it has one."""
    try:
        points = seven_points(outline(mask == CAVITY, mask == WALL))
    except ValueError:
        return None
    return points if (np.diff(points, axis=0) != 0).any(axis=1).all() else None


def _enlarged(probabilities: NDArray[np.float32]) -> Images:
    """(C, S, S) to the most likely structure of each of finer pixels, bilinear between the given ones."""
    import torch
    from torch.nn import functional

    finer = functional.interpolate(torch.from_numpy(probabilities)[None], scale_factor=FINER, mode="bilinear")
    return finer[0].argmax(dim=0).numpy().astype(np.uint8)


def _sure(points: Floats, tested: Frames, side: int) -> Guessed:
    return Guessed(_between(points, side, tested.images.shape[1]), np.zeros(len(points), dtype=np.bool_))


def _between(points: Floats, side: int, other: int) -> Floats:
    """Pixels of an image of one side as pixels of the same at another."""
    return np.asarray((points + 0.5) * (other / side) - 0.5)


def _fresh(make: Callable[[], torch.nn.Module], seed: int) -> torch.nn.Module:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _learn(task: Task, epochs: int, seed: int) -> None:
    train(task, recipe(epochs, seed), device="cpu")
