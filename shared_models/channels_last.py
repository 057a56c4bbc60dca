"""Networks laid out with the channels last, as processors convolve faster; what they find is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

FEWEST_STRIDED = 16  # channels of a strided 1x1 convolution that bears the layout
AXES_OF_IMAGES, AXES_OF_VOLUMES = 4, 5  # of convolutions' weights


def channels_last(network: torch.nn.Module) -> torch.nn.Module:
    """The network itself, weights of its convolutions over images and volumes laid out so where they bear it."""
    import torch

    images = bears_channels_last(network)
    for weights in network.parameters():
        if weights.ndim == AXES_OF_IMAGES and images:
            weights.data = weights.data.contiguous(memory_format=torch.channels_last)
        elif weights.ndim == AXES_OF_VOLUMES:
            weights.data = weights.data.contiguous(memory_format=torch.channels_last_3d)
    return network


def bears_channels_last(network: torch.nn.Module) -> bool:
    """Whether a network may be laid out channels-last, in which it trains half as fast again on a CPU.

    The backward pass of a strided 1x1 convolution of fewer than 16 channels writes beyond its memory there (torch 2.13
    with oneDNN, images of 56 pixels a side and more), which ends the program or, worse, does not.
    """
    from torch import nn

    return not any(
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and max(layer.stride) > 1
        and layer.in_channels < FEWEST_STRIDED
        for layer in network.modules()
    )
