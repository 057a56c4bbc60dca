"""A 3D U-Net with a dense bottleneck that corrects a coarse volume; its skips are added (Xie et al., 2020)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from shared_models.reconstruction.encoder import SLOPE

BOTTOM = 4  # voxels a side of the bottleneck


class Refiner(nn.Module):
    """(B, E, E, E) probabilities to others, the mean of what it was given and of what it makes of that."""

    def __init__(self, channels: tuple[int, ...], bottleneck: int) -> None:
        super().__init__()
        values = channels[-1] * BOTTOM**3
        self.down = nn.ModuleList(_halved(before, after) for before, after in pairwise((1, *channels)))
        self.bottleneck = nn.Sequential(
            nn.Flatten(),
            nn.Linear(values, bottleneck),
            nn.ReLU(),
            nn.Linear(bottleneck, values),
            nn.ReLU(),
            nn.Unflatten(1, (channels[-1], BOTTOM, BOTTOM, BOTTOM)),
        )
        self.up = nn.ModuleList(_doubled(before, after) for before, after in pairwise(reversed(channels)))
        self.last = nn.ConvTranspose3d(channels[0], 1, 4, 2, 1, bias=False)

    def forward(self, coarse: torch.Tensor) -> torch.Tensor:
        """Refined probabilities."""
        seen = [coarse.unsqueeze(1)]
        for layer in self.down:
            seen.append(layer(seen[-1]))
        found = seen[-1] + self.bottleneck(seen[-1])
        for layer, skipped in zip(self.up, seen[-2:0:-1], strict=True):
            found = skipped + layer(found)
        return (coarse + self.last(found).float().sigmoid()[:, 0]) / 2


def _halved(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(before, after, 4, padding=2), nn.BatchNorm3d(after), nn.LeakyReLU(SLOPE), nn.MaxPool3d(2)
    )


def _doubled(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose3d(before, after, 4, 2, 1, bias=False), nn.BatchNorm3d(after), nn.ReLU())
