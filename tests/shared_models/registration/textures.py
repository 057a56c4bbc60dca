"""Images with structure everywhere, so that every displacement of them can be seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from shared_models.registration.fields import to_voxels
from shared_models.registration.network import Estimate
from shared_models.registration.random_warps import band_limited_warp, warped


def texture(size: Sequence[int], seed: int = 0, blur: float = 2.0) -> NDArray[np.float32]:
    """(*N) in [0, 1]: smoothed noise."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(size), blur, mode="wrap")
    return ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)


def batched(image: NDArray[np.float32]) -> torch.Tensor:
    """(1, 1, *N)."""
    return torch.from_numpy(image)[None, None]


def known(size: tuple[int, ...], largest: float, modes: int = 3) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Moving and fixed image, and the displacement (d, *N) in voxels between them."""
    moving = texture(size)
    field = band_limited_warp(np.random.default_rng(1), size, largest, modes)
    return batched(moving), batched(warped(moving, field)), field


def error(found: Estimate, truth: np.ndarray) -> float:
    """Mean distance, voxels, but for four voxels at each edge, which the other image may not show."""
    inside = (slice(4, -4),) * len(truth)
    away = np.linalg.norm(to_voxels(found.field)[0].numpy() - truth, axis=0)
    return float(away[inside].mean())
