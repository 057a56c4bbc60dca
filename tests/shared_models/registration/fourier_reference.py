"""The transform as it is written down: shift, pad with zeros or cut, shift back, real part."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def by_transforms(values: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Values (B, C, *n) at another size by torch's transforms of default norm, in double precision."""
    axes = tuple(range(2, values.ndim))
    spectrum = torch.fft.fftshift(torch.fft.fftn(values.double(), dim=axes), dim=axes)
    edges: list[int] = []
    for before, after in zip(reversed(values.shape[2:]), reversed(size), strict=True):
        first = after // 2 - before // 2
        edges += [first, after - before - first]
    spectrum = torch.nn.functional.pad(spectrum, edges)
    return torch.fft.ifftn(torch.fft.ifftshift(spectrum, dim=axes), dim=axes).real
