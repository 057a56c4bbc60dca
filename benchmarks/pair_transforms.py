"""The decoder as it was published: complex transforms of the full size, for comparison alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def by_transforms(values: Tensor, size: Sequence[int]) -> Tensor:
    """What `shared_models.registration.band_limited` says, by transforms: (B, C, *n) to (B, C, *size)."""
    axes = tuple(range(2, values.ndim))
    spectrum = torch.fft.fftshift(torch.fft.fftn(values, dim=axes), dim=axes)
    for axis, wanted in zip(axes, size, strict=True):
        spectrum = _with_bins(spectrum, axis, wanted)
    return torch.fft.ifftn(torch.fft.ifftshift(spectrum, dim=axes), dim=axes).real


def _with_bins(spectrum: Tensor, axis: int, wanted: int) -> Tensor:
    """So many bins of a shifted spectrum along an axis, the frequency 0 where `fftshift` has it."""
    there = spectrum.shape[axis]
    before = wanted // 2 - there // 2
    if before < 0:
        return spectrum.narrow(axis, -before, wanted)
    sides = [0, 0] * (spectrum.ndim - 1 - axis) + [before, wanted - there - before]
    return functional.pad(spectrum, sides)
