"""Coarse volumes of several views as one: each view has a score in each voxel, of which a soft-max makes weights."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from shared_models.reconstruction.encoder import SLOPE

RAW = 9  # channels that are scored
NARROWING = (RAW, 16, 8, 4, 2, 1)
DENSE = 4  # layers whose outputs are scored together, for volumes of 32


class Merger(nn.Module):
    """(n, 9, E, E, E) of a view to its scores, (n, 1, E, E, E)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.dense = nn.ModuleList(_scored(RAW, RAW) for _ in range(DENSE if size == 32 else 0))
        narrowing = (DENSE * RAW, RAW, 1) if size == 32 else NARROWING
        self.narrowing = nn.Sequential(*(_scored(before, after) for before, after in pairwise(narrowing)))

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        """Scores of a view."""
        found = [raw]
        for layer in self.dense:
            found.append(layer(found[-1]))
        scores: torch.Tensor = self.narrowing(torch.cat(found[1:] or found, dim=1))
        return scores


def _scored(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(before, after, 3, padding=1), nn.BatchNorm3d(after), nn.LeakyReLU(SLOPE))


def merged(coarse: torch.Tensor, scores: torch.Tensor, present: torch.Tensor | None = None) -> torch.Tensor:
    """(B, E, E, E) of (B, V, E, E, E) volumes and scores; (B, V) views that are missing weigh nothing."""
    if present is not None:
        scores = scores.masked_fill(~present[:, :, None, None, None], -torch.inf)
    return (coarse * scores.softmax(dim=1)).sum(dim=1).clamp(0, 1)
