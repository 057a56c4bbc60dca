"""Convolutions at full size a few rows at a time, for answers without gradients on a CPU, in 3D.

The first layers of a contracting path make most of its numbers, which the next one shrinks at once. Made slab by slab
they never lie in memory together. Channels are filled up with zeros to a multiple of 16, since oneDNN's fast kernels
want that; the numbers are those of the layers as they are, to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

ROWS = 8  # of the outcome at once
LANES = 16  # channels


class Layer(NamedTuple):
    """A convolution, three wide, and its PReLU.

    Attributes:
        weight: (after, before, 3, 3, 3), filled up.
        bias: (after,), filled up.
        stride: along all axes.
        slope: of the PReLU.
        rows: along the first axis of what it is given.
    """

    weight: Tensor
    bias: Tensor
    stride: int
    slope: float
    rows: int


def in_slabs(layers: Sequence[nn.Module], images: Sequence[Tensor], rows: int = ROWS) -> Tensor:
    """What `layers` (`paths.convolution`), one after the other, make of images (B, C, D, H, W) side by side.

    Args:
        layers: at least one.
        images: their channels together are the first layer's.
        rows: of the outcome, that are made at once.
    """
    prepared = _prepared(layers, images[0].shape[2])
    height, *others = (_after(n, [layer.stride for layer in prepared]) for n in images[0].shape[2:])
    channels = _convolution(layers[-1]).out_channels
    found = images[0].new_empty(len(images[0]), channels, height, *others)
    for begin in range(0, height, rows):
        end = min(begin + rows, height)
        found[:, :, begin:end] = _slab(prepared, images, begin, end)[:, :channels]
    return found


def _slab(layers: Sequence[Layer], images: Sequence[Tensor], begin: int, end: int) -> Tensor:
    """Rows from `begin` to `end` of the last layer's outcome, of no more rows of the one before than it takes."""
    if not layers:
        slab = torch.cat([image[:, :, begin:end] for image in images], dim=1)
        return functional.pad(slab, (0, 0, 0, 0, 0, 0, 0, -slab.shape[1] % LANES))
    layer = layers[-1]
    first, after = layer.stride * begin - 1, layer.stride * (end - 1) + 2
    low, high = max(first, 0), min(after, layer.rows)
    values = _slab(layers[:-1], images, low, high)
    if low > first or high < after:
        values = functional.pad(values, (0, 0, 0, 0, low - first, after - high))
    found = functional.conv3d(values, layer.weight, layer.bias, layer.stride, (0, 1, 1))
    return functional.leaky_relu_(found, layer.slope)


def _prepared(layers: Sequence[nn.Module], rows: int) -> list[Layer]:
    found: list[Layer] = []
    for layer in layers:
        convolution, (stride, *_) = _convolution(layer), _convolution(layer).stride
        weight, bias = convolution.weight, convolution.bias
        assert bias is not None
        before, after = (-channels % LANES for channels in (weight.shape[1], weight.shape[0]))
        filled = functional.pad(weight, (0, 0, 0, 0, 0, 0, 0, before, 0, after))
        slope = layer.get_submodule("1").get_parameter("weight").item()
        found.append(Layer(filled, functional.pad(bias, (0, after)), stride, slope, rows))
        rows = _after(rows, [stride])
    return found


def _convolution(layer: nn.Module) -> nn.Conv3d:
    found = layer.get_submodule("0")
    assert isinstance(found, nn.Conv3d)
    return found


def _after(n: int, strides: Sequence[int]) -> int:
    """How many voxels of n convolutions of these strides leave."""
    for stride in strides:
        n = (n - 1) // stride + 1
    return n
