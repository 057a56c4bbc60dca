"""Convolutions at full size a few rows at a time, for answers without gradients on a CPU, in 3D.

The first layers of a contracting path make most of its numbers, which the next one shrinks at once. Made slab by slab
they never lie in memory together. A slab is padded on all sides as a whole image would be, since oneDNN's fast kernels
want that, and the rows that this spoils at its seams are left out; the numbers are those of the layers as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

MOST_VALUES = 2**23  # of a layer at once: 32 MiB


def in_slabs(layers: Sequence[nn.Module], images: Sequence[Tensor], most: int = MOST_VALUES) -> Tensor:
    """What `layers` (`paths.convolution`), one after the other, make of images (B, C, D, H, W) side by side.

    Args:
        layers: at least one.
        images: their channels together are the first layer's.
        most: about as many numbers of the first layer are made at once; one row of the outcome is the least.
    """
    strides = [_convolution(layer).stride[0] for layer in layers]
    size = [_left(n, strides) for n in images[0].shape[2:]]
    found = images[0].new_empty(len(images[0]), _convolution(layers[-1]).out_channels, *size)
    area = _convolution(layers[0]).out_channels * images[0][:, 0, 0].numel()
    rows = max(1, most // area // math.prod(strides))
    for begin in range(0, size[0], rows):
        end = min(begin + rows, size[0])
        found[:, :, begin:end] = _slab(layers, strides, images, begin, end)
    return found


def _slab(
    layers: Sequence[nn.Module], strides: Sequence[int], images: Sequence[Tensor], begin: int, end: int
) -> Tensor:
    """Rows from `begin` to `end` of the last layer's outcome, of no more rows of the one before than it takes."""
    if not layers:
        return torch.cat([image[:, :, begin:end] for image in images], dim=1)
    stride = strides[-1]
    low = max(stride * (begin - 1), 0)
    high = min(stride * (end - 1) + 2, _left(images[0].shape[2], strides[:-1]))
    values = layers[-1](_slab(layers[:-1], strides[:-1], images, low, high))
    first = begin - low // stride
    return values[:, :, first : first + end - begin]


def _convolution(layer: nn.Module) -> nn.Conv3d:
    found = layer.get_submodule("0")
    assert isinstance(found, nn.Conv3d)
    return found


def _left(n: int, strides: Sequence[int]) -> int:
    """How many voxels of n convolutions of these strides leave."""
    for stride in strides:
        n = (n - 1) // stride + 1
    return n
