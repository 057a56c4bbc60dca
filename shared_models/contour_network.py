"""The contour network: a U-Net with two heads, for seven points and for the distance to the contour (d.2, step 4-6).

Ours: the image's pixels come in blocks of two by two, as four channels, so that the U-Net and both heads work at half
the resolution, which is much faster. A point is the mean of a heatmap and finer than its pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared_models.bounds import SIDES, require_room, require_sizes
from shared_models.dsnt import expectation, spatial_softmax
from shared_models.unet import DEPTHS, LEVELS, WIDTHS, stride_of, unet

if TYPE_CHECKING:
    import torch

POINTS = 7
SHRUNK = 2  # pixels of the image along an edge of a pixel of the heads
SHRINKING = range(1, 5)
HEADS = ("points", "distance")


@dataclass(frozen=True)
class Heads:
    """What it says of n images.

    Attributes:
        points: (n, 7, 2) coordinates, x then y, in [-1, 1].
        heatmaps: (n, 7, s, s), which each add up to one; s is the images' side by how much they were shrunk.
        distance: (n, 1, s, s) from 0, on the contour, to 1.
    """

    points: torch.Tensor
    heatmaps: torch.Tensor
    distance: torch.Tensor


def contour_network(side: int, width: int = 16, levels: int = LEVELS, shrunk: int = SHRUNK) -> torch.nn.ModuleDict:
    """For (n, 1, side, side) images: ``trunk``, a U-Net, and on its output a 1x1 convolution for each of the heads.

    Args:
        side: of the images.
        width: of the U-Net's first level.
        levels: how many it has.
        shrunk: how many pixels along an edge it takes as one; 1 is the published design.

    Raises:
        TypeError, ValueError: a size that is no whole number, absurd, or does not fit the levels.
    """
    import torch
    from torch import nn

    sizes = {"side": (side, SIDES), "width": (width, WIDTHS[1:]), "levels": (levels, DEPTHS)}
    require_sizes("a contour network", **sizes, shrunk=(shrunk, SHRINKING))
    stride = shrunk * stride_of(levels)
    if side % stride:
        raise ValueError(f"images of {side} pixels a side do not fit {levels} levels: take a multiple of {stride}")
    require_room("a contour network", width * stride_of(levels), width * side**2)
    trunk = unet(width, side // shrunk, width=width, levels=levels, channels=shrunk**2)
    last = [layer for layer in trunk.modules() if isinstance(layer, nn.ConvTranspose2d)][-1]
    # on a CPU a sixth faster to train and half as fast again to ask
    last.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return nn.ModuleDict({"trunk": trunk, "points": nn.Conv2d(width, POINTS, 1), "distance": nn.Conv2d(width, 1, 1)})


def said(network: torch.nn.Module, images: torch.Tensor) -> Heads:
    """Both heads on (n, 1, S, S) normalised images."""
    from torch.nn import functional

    trunk, points, distance = (network.get_submodule(name) for name in ("trunk", *HEADS))
    features = trunk(functional.pixel_unshuffle(images, shrunk_of(network)))
    heatmaps = spatial_softmax(points(features))
    return Heads(expectation(heatmaps), heatmaps, distance(features).sigmoid())


def shrunk_of(network: torch.nn.Module) -> int:
    """How many pixels of an image along an edge are one of the heads."""
    return math.isqrt(next(network.get_submodule("trunk").parameters()).shape[1])
