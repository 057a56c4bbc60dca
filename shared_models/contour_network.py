"""The contour network: a U-Net with two heads, for seven points and for the distance to the contour (d.2, step 4-6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared_models.dsnt import expectation, spatial_softmax
from shared_models.unet import LEVELS, unet

if TYPE_CHECKING:
    import torch

POINTS = 7
HEADS = ("points", "distance")


@dataclass(frozen=True)
class Heads:
    """What it says of n images.

    Attributes:
        points: (n, 7, 2) coordinates, x then y, in [-1, 1].
        heatmaps: (n, 7, S, S), which each add up to one.
        distance: (n, 1, S, S) from 0, on the contour, to 1.
    """

    points: torch.Tensor
    heatmaps: torch.Tensor
    distance: torch.Tensor


def contour_network(side: int, width: int = 16, levels: int = LEVELS) -> torch.nn.ModuleDict:
    """For (n, 1, side, side) images: ``trunk``, a U-Net, and on its output a 1x1 convolution for each of the heads.

    Raises:
        ValueError: the side does not fit the levels.
    """
    import torch
    from torch import nn

    trunk = unet(width, side, width=width, levels=levels)
    last = [layer for layer in trunk.modules() if isinstance(layer, nn.ConvTranspose2d)][-1]
    # on a CPU a sixth faster to train and half as fast again to ask
    last.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return nn.ModuleDict({"trunk": trunk, "points": nn.Conv2d(width, POINTS, 1), "distance": nn.Conv2d(width, 1, 1)})


def said(network: torch.nn.Module, images: torch.Tensor) -> Heads:
    """Both heads on (n, 1, S, S) normalised images."""
    trunk, points, distance = (network.get_submodule(name) for name in ("trunk", *HEADS))
    features = trunk(images)
    heatmaps = spatial_softmax(points(features))
    return Heads(expectation(heatmaps), heatmaps, distance(features).sigmoid())
