"""The encoder of short clips of muscle: frames are seen one by one, and what is seen is averaged over time (c.2).

Pairs of 3x3 convolutions on frames, the mean over the image and then over time, one dense layer; behind it a projection
that the contrastive loss acts on. Kernels never reach over time, so that a clip of any length is read. The published
network is called a ResNet and is none. Ours differs in three numbers: more levels, each of half the side of the one
before, and means over cells of the image instead of all of it, so that what lies where is not lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_models.bounds import SIDES, require_room, require_sizes
from shared_models.image_reference import with_reference

if TYPE_CHECKING:
    import torch

WIDTH = 16
DENSE, PROJECTED = 256, 512
LEVELS, STRIDE, CELLS = 2, 1, 1
SIDE = 64
LAYER = range(1, 4097)  # sizes of a dense layer
MOST_WEIGHTS = 2**25  # of the layer after the means
PARTS = ("frames", "dense", "projection")


def clip_encoder(
    width: int = WIDTH,
    dense: int = DENSE,
    projected: int = PROJECTED,
    levels: int = LEVELS,
    stride: int = STRIDE,
    cells: int = CELLS,
    side: int = SIDE,
) -> torch.nn.ModuleDict:
    """Of clips (n, T, S, S): ``frames``, ``dense`` and ``projection``, see `encoded`; its features are PROJECTED codes.

    Args:
        width: channels of the first level, twice as many at each that follows.
        dense: size of the layer after the means.
        projected: size of the code.
        levels: of two convolutions and a maximum over 2x2 pixels each.
        stride: of that maximum, 1 as published or 2.
        cells: along each edge of the image, over which means are taken.
        side: of the frames that it is shown, in pixels; it would read any.

    Raises:
        TypeError: a size that is no whole number.
        ValueError: one that is far too large or too small.
    """
    from torch import nn

    layers = {"dense": (dense, LAYER), "projected": (projected, LAYER), "cells": (cells, range(1, 17))}
    require_sizes("an encoder", **layers, levels=(levels, range(1, 9)), stride=(stride, range(1, 3)))
    require_sizes("an encoder", side=(side, SIDES), width=(width, range(1, 257)))
    if side < (least := 2**levels if stride == 2 else levels + 1):
        raise ValueError(f"frames of {side} pixels a side are too small for {levels} levels: take at least {least}")
    sizes = [(width * 2**level, side // stride**level) for level in range(levels)]
    require_room("an encoder", sizes[-1][0], max(channels * edge**2 for channels, edge in sizes))
    if sizes[-1][0] * cells**2 * dense > MOST_WEIGHTS:
        raise ValueError(f"an encoder of {sizes[-1][0] * cells**2} means and dense {dense}; that is too much")

    deepest = width * 2 ** (levels - 1)
    network = nn.ModuleDict(
        {
            "frames": nn.Sequential(*frame_levels(width, levels, stride), nn.AdaptiveAvgPool2d(cells), nn.Flatten()),
            "dense": nn.Sequential(nn.Linear(deepest * cells**2, dense), nn.ReLU()),
            "projection": nn.Sequential(
                nn.Linear(dense, projected),
                nn.BatchNorm1d(projected),
                nn.ReLU(),
                nn.Linear(projected, projected),
                nn.BatchNorm1d(projected),
            ),
        }
    )
    with_reference(network, projected)
    return network


def frame_levels(width: int, levels: int, stride: int) -> list[torch.nn.Module]:
    """Layers of (n, 1, S, S) frames: at each level two convolutions and a maximum over 2x2 pixels."""
    from torch import nn

    def level(before: int, after: int) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for channels in (before, after):
            layers += [nn.Conv2d(channels, after, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(after)]
        return [*layers, nn.MaxPool2d(2, stride=stride)]

    widths = [1, *(width * 2**number for number in range(levels))]
    return [layer for number in range(levels) for layer in level(widths[number], widths[number + 1])]


def clip_means(network: torch.nn.Module, clips: torch.Tensor) -> torch.Tensor:
    """(n, F) of clips (n, T, S, S) in [0, 1]: what is seen in a frame, on average over time."""
    count, length = clips.shape[:2]
    seen = network.get_submodule(PARTS[0])(clips.flatten(0, 1).unsqueeze(1))
    found: torch.Tensor = seen.view(count, length, -1).mean(dim=1)
    return found


def projected_means(network: torch.nn.Module, means: torch.Tensor) -> torch.Tensor:
    """(n, projected) of what `clip_means` says; of two clips of a length in a row, of the mean of both."""
    found: torch.Tensor = network.get_submodule(PARTS[2])(network.get_submodule(PARTS[1])(means))
    return found


def encoded(network: torch.nn.Module, clips: torch.Tensor) -> torch.Tensor:
    """(n, projected) of clips (n, T, S, S) in [0, 1]."""
    return projected_means(network, clip_means(network, clips))


def retrieval_head(projected: int = PROJECTED, hidden: tuple[int, ...] = (2024, 1024, 512)) -> torch.nn.Sequential:
    """From what the encoder says of two clips in a row to two logits: the same view, another view (c.3)."""
    from itertools import pairwise

    from torch import nn

    layers: list[nn.Module] = []
    for before, after in pairwise((projected, *hidden)):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], 2))
