"""How much of what a network looks at lies inside the sector (BackMix, b.6, of which only the names are published).

%E, energy: 100 sum(s m) / sum(s), the energy-based pointing game with the sector as region. %F, focus: of the pixels
whose saliency is at least q times the largest of their image, the percentage inside; q is printed beside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
THRESHOLD = 0.5  # q


def energy_percentage(saliency: Floats, sectors: NDArray[np.bool_]) -> Floats:
    """(n,) %E of (n, H, W) saliencies, none negative; NaN where there is none at all."""
    _check(saliency, sectors)
    total = saliency.sum(axis=(1, 2))
    inside = np.where(sectors, saliency, 0.0).sum(axis=(1, 2))
    return np.divide(100 * inside, total, out=np.full(len(saliency), np.nan), where=total > 0)


def focus_percentage(saliency: Floats, sectors: NDArray[np.bool_], threshold: float = THRESHOLD) -> Floats:
    """(n,) %F of (n, H, W) saliencies, none negative; NaN where there is none at all."""
    _check(saliency, sectors)
    largest = saliency.max(axis=(1, 2))
    looked = (saliency >= threshold * largest[:, None, None]) & (largest > 0)[:, None, None]
    count = looked.sum(axis=(1, 2))
    inside = (looked & sectors).sum(axis=(1, 2))
    return np.divide(100.0 * inside, count, out=np.full(len(saliency), np.nan), where=count > 0)


def _check(saliency: Floats, sectors: NDArray[np.bool_]) -> None:
    if saliency.shape != sectors.shape or saliency.ndim != 3:
        raise ValueError(f"{saliency.shape} saliencies and {sectors.shape} sectors do not go together")
    if (saliency < 0).any():
        raise ValueError("a saliency is negative")
