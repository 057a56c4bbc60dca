"""Balls as hearts: of each the planes of two views, and the volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VIEWS = ("A4C", "A2C")


@dataclass(frozen=True)
class Heart:
    views: tuple[str, ...]
    planes: NDArray[np.float32]
    target: NDArray[np.bool_]


def ball(radius: float, edge: int = 32, views: tuple[str, ...] = VIEWS) -> Heart:
    """About the middle; planes are 1.15 times as wide as the volume."""
    away = np.indices((edge,) * 3) - (edge - 1) / 2
    flat = (np.indices((224, 224)) - 111.5) * (1.15 * edge / 224)
    disc = (np.hypot(*flat) <= radius).astype(np.float32)
    return Heart(views, np.stack([disc] * len(views)), (away**2).sum(axis=0) <= radius**2)
