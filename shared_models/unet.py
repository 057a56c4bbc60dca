"""The U-Net that segments: MONAI's, configured.

Residual-free, instance norm, leaky ReLU: widths double from `width` over `levels` resolutions. Its deepest features,
averaged over the image, say how an image looks to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_models.bounds import CLASSES, SIDES, require_room, require_sizes
from shared_models.image_reference import with_reference

if TYPE_CHECKING:
    import torch

SLOPE = 0.01
LEVELS = 4
WIDTHS, DEPTHS = range(1, 257), range(2, 9)


def unet(classes: int, side: int, width: int = 16, levels: int = LEVELS, channels: int = 1) -> torch.nn.Module:
    """(n, channels, side, side) images to (n, classes, side, side) logits.

    Raises:
        TypeError: a size that is no whole number.
        ValueError: one that is far too large or too small, or a side that is no multiple of 2^(levels - 1).
    """
    from monai.networks.nets import UNet

    sizes = {"classes": (classes, CLASSES[1:]), "side": (side, SIDES), "width": (width, WIDTHS)}
    require_sizes("a U-Net", **sizes, levels=(levels, DEPTHS))
    stride = stride_of(levels)
    require_room("a U-Net", width * stride, max(width, classes) * side**2)
    if side < stride or side % stride:
        raise ValueError(
            f"images of {side} pixels a side do not fit a U-Net of {levels} levels: take a multiple of {stride}"
        )
    network = UNet(
        spatial_dims=2,
        in_channels=channels,
        out_channels=classes,
        channels=[width * 2**level for level in range(levels)],
        strides=[2] * (levels - 1),
        num_res_units=0,
        act=("leakyrelu", {"negative_slope": SLOPE, "inplace": True}),
        norm="instance",
    )
    _norm_by_groups(network)
    return with_reference(network, width * stride)


def _norm_by_groups(network: torch.nn.Module) -> None:
    """Instance norm as group norm with a group for each channel: the same, and on a CPU a quarter faster to train."""
    from torch import nn

    for name, layer in network.named_modules():
        if isinstance(layer, nn.InstanceNorm2d):
            each = nn.GroupNorm(layer.num_features, layer.num_features, eps=layer.eps, affine=False)
            network.set_submodule(name, each)


def bottom_of(network: torch.nn.Module) -> torch.nn.Module:
    """The layer that gives the deepest features, (n, width * 2^(levels - 1), side / stride, side / stride)."""
    from monai.networks.layers.simplelayers import SkipConnection

    block = network.get_submodule("model")
    while inner := [child for child in block.children() if isinstance(child, SkipConnection)]:
        block = inner[0].get_submodule("submodule")
    return block


def stride_of(levels: int) -> int:
    """By how much the deepest level is smaller than the image."""
    return int(2 ** (levels - 1))
