"""What lies outside the ultrasound sector is taken away, with an account of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.sector import Sector
from site_agent.sources.images import Gray, luma
from site_agent.sources.source import Pixels

BRIGHT = 32  # grey levels from which on a pixel shows something


@dataclass(frozen=True)
class Blanked:
    """What was taken away.

    Attributes:
        pixels: share of the image's pixels that lie outside the sector.
        bright: share of its bright pixels that do.
        marks: share of the sector's pixels that were no echo.
    """

    pixels: float
    bright: float
    marks: float


def blank(pixels: Pixels, sector: Sector, marks: NDArray[np.bool_] | None) -> tuple[Gray, Blanked]:
    """(T, H, W) grey levels of (T, H, W) or (T, H, W, 3) pixels, 0 outside the sector and where marks are."""
    grey, inside = luma(pixels), sector.mask()
    shown = (grey > BRIGHT).any(axis=0)
    kept = inside if marks is None else inside & ~marks
    account = Blanked(
        pixels=float(1 - inside.mean()),
        bright=float((shown & ~inside).sum() / max(1, shown.sum())),
        marks=float((inside & ~kept).sum() / max(1, inside.sum())),
    )
    return np.where(kept, grey, np.uint8(0)), account
