"""Fans and rectangles full of made-up echoes, whose truth is known, and what machines draw over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_models.sector_geometry import Fan, Parallelogram, Sector, fan_kind

FAN = Fan(y=8.0, x=160.0, near=6.0, far=210.0, left=-0.7, right=0.7)
CURVED = Fan(y=-40.0, x=150.0, near=60.0, far=250.0, left=-0.5, right=0.5)
STEERED = Fan(y=10.0, x=120.0, near=4.0, far=205.0, left=-0.1, right=0.75)
BOX = Parallelogram(top=20.0, bottom=200.0, left=90.0, right=220.0)
LEANING = Parallelogram(top=30.0, bottom=190.0, left=60.0, right=190.0, slope=0.2)
SHAPE = (240, 320)


def truth(geometry: Fan | Parallelogram, shape: tuple[int, int] = SHAPE) -> Sector:
    """A geometry as the sector of an image."""
    return Sector("linear" if isinstance(geometry, Parallelogram) else fan_kind(geometry), geometry, shape, 1.0)


def echoes(
    geometry: Fan | Parallelogram, shape: tuple[int, int] = SHAPE, *, seed: int = 0, black: int = 0
) -> NDArray[np.uint8]:
    """(H, W) speckle inside, `black` outside, a dark chamber in the middle of the sector."""
    speckle = np.random.default_rng(seed).rayleigh(45.0, shape)
    mask = truth(geometry, shape).mask()
    rows, columns = np.nonzero(mask)
    y, x = np.mgrid[: shape[0], : shape[1]]
    chamber = np.hypot(y - rows.mean(), x - columns.mean()) < 0.12 * shape[0]
    speckle[chamber] *= 0.02
    return np.where(mask, np.clip(speckle + black, 0, 255), black).astype(np.uint8)


def with_interface(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image with a trace, a depth scale, letters and a grey bar around the sector."""
    marked = image.copy()
    height, width = image.shape
    column = np.arange(width)
    marked[np.rint(height - 14 - 6 * np.sin(column / 9.0)).astype(int), column] = 200
    marked[10 : height - 10 : 20, width - 8 : width - 3] = 220
    marked[6:12, 6:40:3] = 230
    marked[16:22, 6:30:3] = 230
    marked[30:100, width - 26 : width - 18] = np.linspace(255, 0, 70, dtype=np.uint8)[:, None]
    return marked


def agreement(found: Sector | None, wanted: Sector) -> float:
    """Intersection over union of two sectors; nought where none was found."""
    if found is None:
        return 0.0
    one, other = found.mask(), wanted.mask()
    return float((one & other).sum() / (one | other).sum())
