"""The two paths that Fourier-Net and Fourier-Net+ are made of.

Convolutions are three wide, with biases and a PReLU of one slope after each; nothing is normalised (Jia et al., AAAI
2023).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


class Activated(nn.Sequential):
    """A convolution and its PReLU; in place where no gradient is asked for.

    In 3D weights lie with their channels last, and so do features then: processors convolve few channels faster so, and
    the layers of a large volume take half the memory.
    """

    def __init__(self, convolution: nn.Module) -> None:
        super().__init__(convolution, nn.PReLU())
        if isinstance(convolution, nn.Conv3d | nn.ConvTranspose3d):
            convolution.weight.data = convolution.weight.data.contiguous(memory_format=torch.channels_last_3d)

    def forward(self, values: Tensor) -> Tensor:  # noqa: D102
        found: Tensor = self[0](values)
        activation = self[1]
        assert isinstance(activation, nn.PReLU)
        slope = activation.weight
        if torch.is_grad_enabled() or slope.is_meta:
            return functional.prelu(found, slope)
        return functional.leaky_relu_(found, slope.item())


def convolution(dimensions: int, before: int, after: int, stride: int = 1) -> Activated:
    """Three wide, padded by one; a stride of 2 halves the size."""
    return Activated(CONVOLUTIONS[dimensions](before, after, 3, stride=stride, padding=1))


def enlargement(dimensions: int, channels: int) -> Activated:
    """To twice the size, channels kept."""
    return Activated(TRANSPOSED[dimensions](channels, channels, 2, stride=2))


class ContractingPath(nn.Module):
    """Two convolutions a level; from the second level on the first of them halves the size."""

    def __init__(self, dimensions: int, before: int, channels: Sequence[tuple[int, int]]) -> None:
        """With channels after each of the two convolutions of every level, of inputs of `before` channels."""
        super().__init__()
        self.levels = nn.ModuleList()
        for level, (first, second) in enumerate(channels):
            pair = (convolution(dimensions, before, first, 2 if level else 1), convolution(dimensions, first, second))
            self.levels.append(nn.Sequential(*pair))
            before = second

    def forward(self, images: Sequence[Tensor], kept: Collection[int] = ()) -> list[Tensor]:
        """Features of the levels that are kept, and of the last, in order; others are freed on the way.

        Args:
            images: (B, C, *N), side by side as channels.
            kept: levels.
        """
        layers = [(level, layer) for level, pair in enumerate(self.levels) for layer in pair.children()]
        values = torch.cat(list(images), dim=1)
        found: list[Tensor] = []
        for number, (level, layer) in enumerate(layers, start=1):
            values = layer(values)
            if level in kept and (number == len(layers) or layers[number][0] > level):
                found.append(values)
        return [*found, values]


class Expansion(NamedTuple):
    """A level of the expanding path.

    Attributes:
        channels: that come from below.
        beside: that come from the contracting path.
        after: of each convolution.
    """

    channels: int
    beside: int
    after: tuple[int, ...]


class ExpandingPath(nn.Module):
    """At each level: enlarged to twice the size, the contracting path's features beside it, convolutions."""

    def __init__(self, dimensions: int, levels: Sequence[Expansion]) -> None:
        super().__init__()
        self.enlargements = nn.ModuleList(enlargement(dimensions, level.channels) for level in levels)
        self.levels = nn.ModuleList()
        for channels, beside, after in levels:
            widths = (channels + beside, *after)
            self.levels.append(nn.Sequential(*(convolution(dimensions, *pair) for pair in pairwise(widths))))

    def forward(self, features: list[Tensor]) -> Tensor:
        """From features of the contracting path, deepest last, which are taken out of the list as they are used up."""
        values = features.pop()
        for enlarged, layers in zip(self.enlargements, self.levels, strict=True):
            values = enlarged(values)
            if features:
                values = torch.cat([values, features.pop()], dim=1)
            values = layers(values)
        return values
