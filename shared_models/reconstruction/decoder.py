"""From features of a view, or of all, to a coarse volume: transposed convolutions (Xie et al., "Pix2Vox++", 2020)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

START = 2  # voxels a side that features are read as


class Decoder(nn.Module):
    """(n, C, h, w) features to a coarse volume with what it was made of.

    Attributes:
        start: channels that the features are read as, C h w / 8.
    """

    def __init__(self, start: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.start = start
        layers: list[nn.Module] = []
        for before, after in pairwise((start, *channels)):
            layers += [nn.ConvTranspose3d(before, after, 4, 2, 1, bias=False), nn.BatchNorm3d(after), nn.ReLU()]
        self.up = nn.Sequential(*layers)
        self.last = nn.ConvTranspose3d(channels[-1], 1, 1, bias=False)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, 1, E, E, E) probabilities, and (n, 9, E, E, E) of the last layers, which the merger scores."""
        last = self.up(features.reshape(-1, self.start, START, START, START))
        coarse = self.last(last).float().sigmoid()
        return coarse, torch.cat([last, coarse], dim=1)
