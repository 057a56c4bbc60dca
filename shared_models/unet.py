"""The U-Net that segments: MONAI's, configured.

Residual-free, instance norm, leaky ReLU: widths double from `width` over `levels` resolutions. Its deepest features,
averaged over the image, say how an image looks to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_models.image_reference import with_reference

if TYPE_CHECKING:
    import torch

SLOPE = 0.01
LEVELS = 4


def unet(classes: int, side: int, width: int = 16, levels: int = LEVELS) -> torch.nn.Module:
    """(n, 1, side, side) images to (n, classes, side, side) logits.

    Raises:
        ValueError: the side is no multiple of the stride 2^(levels - 1), or there are fewer than two levels or classes.
    """
    from monai.networks.nets import UNet

    if levels < 2 or classes < 2:
        raise ValueError(f"a U-Net of {levels} levels and {classes} classes; 2 are the fewest of each")
    stride = stride_of(levels)
    if side < stride or side % stride:
        raise ValueError(
            f"images of {side} pixels a side do not fit a U-Net of {levels} levels: take a multiple of {stride}"
        )
    network = UNet(
        spatial_dims=2,
        in_channels=1,
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
