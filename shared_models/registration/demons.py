"""One pair registered by demons: at every voxel a force, all of them smoothed, step by step and without a training set.

Thirion (Medical Image Analysis 1998), with the symmetric forces and the bound on their length of Vercauteren et al.
("Diffeomorphic demons", NeuroImage 2009, eq. 5 and 6):

    f = -(m - y) g / (|g|^2 + (m - y)^2),   u <- G * (u + f),   m = x o (id + u),   g = (grad y + grad m) / 2,

G a Gaussian. With a velocity v in place of u, u = exp(v), the field folds nowhere (Vercauteren et al., MICCAI 2008).
Smoothing along an axis is a matrix product, as the decoder of `band_limited` is. Where grey levels agree in no more
than their neighbourhoods, each voxel is first measured by the mean and deviation of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import Tensor
from torch.nn import functional

from shared_models.registration.fields import integrate, resized, to_normalised, warp
from shared_models.registration.network import Estimate
from shared_models.registration.pair_grids import (
    INTEGRATED_AT,
    PADDING,
    Step,
    Watch,
    divided,
    halvings,
    require_pair,
    require_start,
)

FLAT = 3e-3  # of the variance of what is fixed, under which a squared slope or difference tells nothing
TINY = 1e-12
AT_SIZES = 3  # numbers of steps: the last is that of all smaller sizes
FLOOR = 0.02  # deviation of greys that is noise
SQUARINGS = 5  # of a velocity


@dataclass(frozen=True)
class Demons:
    """How a field is sought.

    Attributes:
        steps: at the full size, at half of it, and at each that is smaller still (`pair_grids.halvings`).
        finest: by what images are divided at last; with 2 the full size is never met, which takes a small part of the
            time and misses fine detail.
        smoothing: deviation of G, in voxels of each size.
        window: deviation in voxels of each size of the neighbourhood that a voxel is measured by; 0 takes greys as
            they are.
        diffeomorphic: whether a velocity is sought.

    Raises:
        ValueError: numbers that are none.
    """

    steps: tuple[int, int, int] = (10, 30, 40)
    finest: int = 1
    smoothing: float = 0.8
    window: float = 5.0
    diffeomorphic: bool = False

    def __post_init__(self) -> None:
        if len(self.steps) != AT_SIZES or min(self.steps) < 1 or self.finest < 1:
            raise ValueError(f"steps {self.steps}, at last divided by {self.finest}: three numbers, all 1 or more")
        if not (self.smoothing > 0 and self.window >= 0):
            raise ValueError(f"smoothing by {self.smoothing:g} in windows of {self.window:g}: above 0, and 0 or more")

    def course(self, size: Sequence[int]) -> list[tuple[int, int]]:
        """By what images of a size are divided, and how many steps are taken there, one after the other."""
        factors = [factor for factor in halvings(size) if factor >= self.finest] or [self.finest]
        return [(factor, self.steps[min(factor.bit_length(), AT_SIZES) - 1]) for factor in factors]


@torch.inference_mode()
def register_by_demons(
    moving: Tensor,
    fixed: Tensor,
    how: Demons | None = None,
    *,
    start: Tensor | None = None,
    watch: Watch | None = None,
) -> Estimate:
    """The field that forces end at.

    Args:
        moving: (1, 1, *N), greys from 0 to 1.
        fixed: likewise.
        how: it is sought.
        start: (1, d, *N) normalised field or velocity to begin with; None for one of zeros.
        watch: is told before every step; losses are mean squared differences of what is compared.

    Raises:
        ValueError: no single pair, values that are no numbers, or a start that does not fit.
    """
    how, size = how or Demons(), require_pair(moving, fixed)
    said = torch.zeros_like(moving).expand(-1, len(size), *size) if start is None else start
    require_start(said, size)
    course, done = how.course(size), 0
    for number, (factor, steps) in enumerate(course, start=1):
        grid = divided(size, factor)
        before, wanted = (measured(coarser(images, grid), how.window) for images in (moving, fixed))
        told = partial(_tell, watch, Step(number, len(course), done, sum(most for _, most in course), 0.0))
        said, done = _sought(resized(said, grid), before, wanted, how, steps, told), done + steps
    said = resized(said, size)
    return Estimate(_field(said, how), said)


def _sought(
    said: Tensor, before: Tensor, wanted: Tensor, how: Demons, steps: int, told: Callable[[int, float], None]
) -> Tensor:
    """Where images are least apart, of where steps begin and of all they lead to: rough images also lead astray."""
    slopes, flat = gradient(wanted), FLAT * float(wanted.var()) + TINY
    best, least = said, math.inf
    for step in range(1, steps + 2):
        seen = warp(before, _field(said, how), PADDING)
        apart = float(functional.mse_loss(seen, wanted))
        best, least = (said, apart) if apart < least else (best, least)
        if step > steps:
            break
        told(step, apart)
        said = smoothed(said + to_normalised(force(seen, wanted, slopes, flat)), how.smoothing)
    return best


def _tell(watch: Watch | None, begun: Step, step: int, loss: float) -> None:
    if watch:
        watch(begun._replace(step=begun.step + step, loss=loss))


def _field(said: Tensor, how: Demons) -> Tensor:
    return integrate(said, SQUARINGS, INTEGRATED_AT[said.ndim]) if how.diffeomorphic else said


def force(seen: Tensor, wanted: Tensor, slopes: Tensor, flat: float) -> Tensor:
    """Of every voxel f, in voxels, half of one long at most: (B, d, *N).

    Args:
        seen: (B, 1, *N) the moving image where the field leads so far.
        wanted: (B, 1, *N) the fixed one.
        slopes: (B, d, *N) its gradient.
        flat: what is added below, so that noise pulls nothing.
    """
    apart, slope = seen - wanted, (slopes + gradient(seen)) / 2
    return -apart * slope / ((slope**2).sum(dim=1, keepdim=True) + apart**2 + flat)


def gradient(images: Tensor) -> Tensor:
    """(B, d, *N) of images (B, 1, *N), by central differences, per voxel."""
    return torch.cat(torch.gradient(images, dim=list(range(2, images.ndim))), dim=1)


def coarser(images: Tensor, size: Sequence[int]) -> Tensor:
    """Images on a grid of another size from centre to centre of their edges, smoothed by as much as it is coarser."""
    factor = max(before / after for before, after in zip(images.shape[2:], size, strict=True))
    return smoothed(images, factor / 2, size) if factor > 1 else images


def measured(images: Tensor, window: float) -> Tensor:
    """Images less the mean of each voxel's neighbourhood, in its deviations; as they are where there is no window."""
    if not window:
        return images
    mean = smoothed(images, window)
    deviation = (smoothed(images**2, window) - mean**2).clamp_min(0).sqrt()
    return (images - mean) / (deviation + FLOOR)


def smoothed(values: Tensor, deviation: float, size: Sequence[int] | None = None) -> Tensor:
    """(B, C, *N) by a Gaussian whose weights at an edge are those within, along one axis after the other.

    Args:
        values: (B, C, *M).
        deviation: in voxels.
        size: N, from centre to centre of the edges; None for M.
    """
    *others, last = enumerate(size or values.shape[2:], start=2)
    values = values @ _gaussian(values.shape[-1], last[1], deviation).to(values).T
    for axis, after in others:
        matrix, behind = _gaussian(values.shape[axis], after, deviation).to(values), values.shape[axis + 1 :]
        values = torch.matmul(matrix, values.flatten(axis + 1)).unflatten(-1, behind)
    return values


@lru_cache(maxsize=64)
def _gaussian(before: int, after: int, deviation: float) -> Tensor:
    """(after, before)."""
    places = torch.linspace(0, before - 1, after, dtype=torch.float64)[:, None]
    weights = torch.exp(-(((places - torch.arange(before)) / deviation) ** 2) / 2)
    return (weights / weights.sum(dim=1, keepdim=True)).float()
