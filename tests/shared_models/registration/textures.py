"""Images with structure everywhere, so that every displacement of them can be seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def texture(size: Sequence[int], seed: int = 0, blur: float = 2.0) -> NDArray[np.float32]:
    """(*N) in [0, 1]: smoothed noise."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(size), blur, mode="wrap")
    return ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)


def batched(image: NDArray[np.float32]) -> torch.Tensor:
    """(1, 1, *N)."""
    return torch.from_numpy(image)[None, None]
