"""Resampling by the discrete Fourier transform: the model-driven decoder, and images with high frequencies left out.

Jia et al., "Fourier-Net" (AAAI 2023), with torch's default norm: the transform of n values, shifted, is padded with
zeros or cut to N bins, and the real part of its inverse is taken. Along each axis that is a linear map of n values to
N, so it is a matrix product here, which on a CPU takes less time than the transforms.

An even number K of kept bins holds the bin of frequency -K/2 without its partner, and this makes the map complex: with
F = C + i D along each axis, real(F ⊗ G) = C ⊗ real(G) - D ⊗ imag(G). D comes from that one bin, so it is one column
times one row, s ⊗ a, and its share costs hardly anything.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class AxisMap(NamedTuple):
    """How n values along an axis become N: cosine + i (column ⊗ row).

    Attributes:
        cosine: (N, n).
        column: (N,).
        row: (n,).
    """

    cosine: Tensor
    column: Tensor
    row: Tensor


def band_limited(values: Tensor, size: Sequence[int]) -> Tensor:
    """Values at another size, of which no frequency is higher than the smaller size holds.

    As by the transforms without correction, values shrink by prod(n) / prod(N): by 64 from N/4 to N in 3D, and grow by
    8 from N to N/2. Products are of float32 at least where networks have those of bfloat16: a field says positions.

    Args:
        values: (B, C, *n), with spatial axes only after the channels.
        size: N, one number an axis.
    """
    values = values.float() if values.dtype == torch.bfloat16 else values
    maps = [_axis_map(before, after) for before, after in zip(values.shape[2:], size, strict=True)]
    with torch.autocast(values.device.type, enabled=False):
        return _real_part(values, [AxisMap(*(part.to(values) for part in each)) for each in maps])


def _real_part(values: Tensor, maps: Sequence[AxisMap]) -> Tensor:
    """Of all `maps` applied to the last axes; the last axis comes first, so that the full size is met once."""
    first, *rest = maps
    if not rest:
        return values @ first.cosine.T
    inner = _real_part(values, rest)
    unpaired = _imaginary_part(_contracted(values, first.row, len(maps)), rest)
    joined = torch.cat([inner, unpaired.unsqueeze(-len(maps))], dim=-len(maps))
    return _expanded(torch.cat([first.cosine, -first.column[:, None]], dim=1), joined, len(maps))


def _imaginary_part(values: Tensor, maps: Sequence[AxisMap]) -> Tensor:
    first, *rest = maps
    if not rest:
        return (values @ first.row).unsqueeze(-1) * first.column
    inner = _imaginary_part(values, rest)
    unpaired = _real_part(_contracted(values, first.row, len(maps)), rest)
    joined = torch.cat([inner, unpaired.unsqueeze(-len(maps))], dim=-len(maps))
    return _expanded(torch.cat([first.cosine, first.column[:, None]], dim=1), joined, len(maps))


def _contracted(values: Tensor, row: Tensor, axes: int) -> Tensor:
    """`values` with the first of the last `axes` axes summed over, weighted by `row`."""
    return torch.matmul(row, values.flatten(-axes + 1)).unflatten(-1, values.shape[-axes + 1 :])


def _expanded(matrix: Tensor, values: Tensor, axes: int) -> Tensor:
    """`values` with `matrix` applied along the first of the last `axes` axes."""
    return torch.matmul(matrix, values.flatten(-axes + 1)).unflatten(-1, values.shape[-axes + 1 :])


@functools.lru_cache(maxsize=64)
def _axis_map(before: int, after: int) -> AxisMap:
    """Of float32 on the CPU; made outside inference mode, since a training may meet the same sizes later."""
    with torch.inference_mode(mode=False), torch.device("cpu"):
        kept = min(before, after)
        frequencies = torch.arange(-(kept // 2), (kept + 1) // 2, dtype=torch.float64)
        to, of = (torch.arange(n, dtype=torch.float64) / n for n in (after, before))
        angles = 2 * math.pi * (to[:, None] - of)
        cosine = sum((angles * frequency).cos() for frequency in frequencies.tolist())
        column, row = _unpaired(before, after) if kept % 2 == 0 else (torch.zeros(after), torch.zeros(before))
        parts = (torch.as_tensor(cosine) / after, column / after, row)
        return AxisMap(*(part.float() for part in parts))


def _unpaired(before: int, after: int) -> tuple[Tensor, Tensor]:
    """sin(-π K (o / N - i / n)) as a column times a row: of the size that is K, the sines are 0 and the cosines ±1."""
    kept = min(before, after)
    to, of = (math.pi * kept * torch.arange(n, dtype=torch.float64) / n for n in (after, before))
    return (-to.sin(), of.cos()) if before == kept else (to.cos(), of.sin())
