"""Whatever lies outside the ultrasound sector taken away, with an account of what that was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.sector import Sector
from site_agent.sources.images import Gray, luma

BRIGHT = 100  # grey levels from which on a pixel shows something; dark ground is less


@dataclass(frozen=True)
class Blanked:
    """What was taken away.

    Attributes:
        pixels: share of the pixels of a frame that are 0 now whatever they were.
        bright: share of all bright pixels of the frames that were among them.
        text_outside: boxes of text that lay outside the sector.
        marks_inside: share of the sector's pixels that were marks.
    """

    pixels: float
    bright: float
    text_outside: int
    marks_inside: float


def blank(
    frames: NDArray[np.uint8],
    sector: Sector | None,
    marks: NDArray[np.bool_] | None = None,
    text_outside: int = 0,
) -> tuple[Gray, Blanked]:
    """(T, H, W) grey frames that are 0 outside the sector and where the marks are, and the account of it.

    Without a sector nothing is known to lie outside, and the marks alone are taken away.

    Args:
        frames: (T, H, W) or (T, H, W, 3); they stay as they are.
        sector: of all of them.
        marks: (H, W), as `find_marks` has them.
        text_outside: boxes of text that were found where the frames will be 0, for the account.

    Raises:
        ValueError: sector or marks are not of the frames' size.
    """
    shape = frames.shape[1:3]
    inside = np.ones(shape, dtype=bool) if sector is None else sector.mask()
    marked = np.zeros(shape, dtype=bool) if marks is None else marks
    if inside.shape != shape or marked.shape != shape:
        raise ValueError(f"frames of {shape}, a sector of {inside.shape} and marks of {marked.shape} do not fit")
    kept = inside & ~marked
    grey = luma(frames)
    bright = grey >= BRIGHT
    shown = np.count_nonzero(bright)
    account = Blanked(
        pixels=1.0 - float(kept.mean()),
        bright=1.0 - float(np.count_nonzero(bright & kept) / shown) if shown else 0.0,
        text_outside=text_outside,
        marks_inside=float((marked & inside).sum() / max(1, inside.sum())),
    )
    return np.where(kept, grey, np.uint8(0)), account
