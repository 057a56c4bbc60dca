"""Losses of (B, E, E, E) probabilities against volumes of 0 and 1, all from probabilities as the networks give them.

The published code puts a sigmoid over probabilities in its focal and Tversky losses, so that none can be under a half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

LEAST = 1e-6
ALPHA, GAMMA = 0.25, 2.0  # of focal
FALSE_POSITIVES, FALSE_NEGATIVES = 0.3, 0.7  # weights of Tversky
FOCUS = 0.75  # exponent of focal Tversky


def cross_entropy(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """- mean of t log p + (1 - t) log (1 - p)."""
    from torch.nn import functional

    return functional.binary_cross_entropy(p, t)


def soft_iou(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """1 - sum p t / sum (p + t - p t), of each case, on average."""
    both = _sums(p * t)
    return (1 - both / _sums(p + t - p * t).clamp_min(LEAST)).mean()


def focal(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """- mean of alpha_t (1 - p_t)^gamma log p_t (Lin et al., ICCV 2017, equation 5)."""
    right = (p * t + (1 - p) * (1 - t)).clamp_min(LEAST)
    weight = ALPHA * t + (1 - ALPHA) * (1 - t)
    return -(weight * (1 - right) ** GAMMA * right.log()).mean()


def tversky(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """1 - the mean of Tversky's index of each case (Salehi et al., MLMI 2017, equation 2)."""
    return (1 - _tversky_index(p, t)).mean()


def focal_tversky(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Mean of (1 - Tversky's index)^(3/4) of each case (Abraham and Khan, ISBI 2019, equation 4)."""
    return ((1 - _tversky_index(p, t)).clamp_min(LEAST) ** FOCUS).mean()


def _tversky_index(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    both, too_much, too_little = _sums(p * t), _sums(p * (1 - t)), _sums((1 - p) * t)
    whole = both + FALSE_POSITIVES * too_much + FALSE_NEGATIVES * too_little
    return both / whole.clamp_min(LEAST)


def _sums(values: torch.Tensor) -> torch.Tensor:
    return values.flatten(1).sum(dim=1)


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cross-entropy": cross_entropy,
    "soft IoU": soft_iou,
    "focal": focal,
    "Tversky": tversky,
    "focal Tversky": focal_tversky,
}
