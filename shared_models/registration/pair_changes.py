"""How pairs are changed while a network learns from them, so that few patients do not end in pairs known by heart.

Both images of a pair are turned, stretched and mirrored alike, so that what leads from one to the other changes its
place and direction only; the fixed one is warped at random beside that, so that no pair is met twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from shared_models.registration.fields import Padding, identity_grid, resized, to_normalised, warp

NODES = 6  # along each axis, of the random warp


@dataclass(frozen=True)
class PairChanges:
    """How far.

    Attributes:
        degrees: to which both are turned at most, in each plane of two axes.
        stretch: share by which both are stretched along each axis at most.
        mirrored: whether both are mirrored along any axis, as often as not.
        warp: deviation in voxels at the nodes by which the fixed image is warped; between them linearly.
    """

    degrees: float = 15.0
    stretch: float = 0.15
    mirrored: bool = True
    warp: float = 1.5


def changed(
    moving: Tensor, fixed: Tensor, changes: PairChanges, generator: torch.Generator, padding: Padding = "border"
) -> tuple[Tensor, Tensor]:
    """Pairs of images (B, 1, *N) as another draw would have them; beyond an image's edge lies what `padding` says.

    Args:
        moving: of the pairs.
        fixed: likewise.
        changes: how far.
        generator: on the CPU, draws them.
        padding: see above.
    """
    grid = identity_grid(moving.shape[2:], moving)
    both = torch.einsum("bkl,l...->bk...", _matrices(len(moving), grid, changes, generator), grid[0]) - grid
    apart = _warps(moving, changes, generator)
    return warp(moving, both, padding), warp(fixed, both + apart, padding)


def _matrices(count: int, grid: Tensor, changes: PairChanges, generator: torch.Generator) -> Tensor:
    """(B, d, d) of normalised positions; turns are of voxels, so that an image is not sheared."""
    size = torch.tensor(grid.shape[2:], dtype=torch.float32)
    d, halves = len(size), (size - 1) / 2
    found = torch.eye(d).repeat(count, 1, 1)
    for one in range(d):
        for other in range(one + 1, d):
            angle = math.radians(changes.degrees) * _between(count, generator)
            turn = torch.eye(d).repeat(count, 1, 1)
            turn[:, one, one] = turn[:, other, other] = angle.cos()
            turn[:, one, other], turn[:, other, one] = -angle.sin(), angle.sin()
            found = found @ turn
    lengths = 1 + changes.stretch * _between(count * d, generator).reshape(count, d)
    if changes.mirrored:
        lengths = lengths * (1 - 2 * torch.randint(2, (count, d), generator=generator))
    return (found * lengths[:, None] * halves / halves[:, None]).to(grid)


def _between(count: int, generator: torch.Generator) -> Tensor:
    """(count,) from -1 to 1."""
    return 2 * torch.rand(count, generator=generator) - 1


def _warps(images: Tensor, changes: PairChanges, generator: torch.Generator) -> Tensor:
    size = images.shape[2:]
    nodes = changes.warp * torch.randn(len(images), len(size), *[NODES] * len(size), generator=generator)
    return to_normalised(resized(nodes.to(images), size))
