"""What kind of ultrasound image a frame or clip is: B-mode, colour Doppler over it, an M-mode sweep, a spectrum.

Sweeps have a time axis: a straight line drawn across most of the image (the baseline of a spectrum, the edge of a
sweep), or a wide panel with upright edges. Columns of a spectrum are independent of each other, so that it changes more
from column to column than from row to row; in a sweep it is the other way round, as echoes go on in time.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared_models.sector import find_sector
from shared_models.sector_echoes import (
    COLOURED,
    Bytes,
    Mask,
    backgrounds,
    block_means,
    brightest,
    echoes_above,
    picture_of,
    regions,
)

Mode = Literal["b", "colour", "m", "spectral"]

STILLS = 3  # of a clip that are looked at for colour
INSIDE = 0.003  # share of the sector that is coloured, from which on there is a colour box
BAR = 0.0006  # share of an image in warm and in cold colours each, from which on there is a scale of velocities
THIN = 3  # pixels above and below a line that are darker or grey
RIDGE = 8  # grey levels by which a line is brighter than what lies above and below
LINE = 0.5  # share of the width that a straight line spans without a gap
HEADER, FOOTER = 0.2, 0.95  # share of the height above and below which lines belong to the interface
WINDOW = 0.15  # share of the height on either side of a line that is looked at
STREAKS = 0.7  # change from column to column against that from row to row, from which on it is a spectrum
CLEAR_STREAKS = 1.6  # the same where no line is seen
WIDE = 0.5  # share of the width that a panel spans
PANEL = 0.1  # share of the height in which it does so between upright edges


def image_mode(frames: NDArray[np.uint8]) -> Mode:
    """The mode of (H, W), (T, H, W), (H, W, 3) or (T, H, W, 3); of a clip the middle frame says whether it sweeps.

    Raises:
        ValueError: no image or clip of bytes.
    """
    stills = _stills(frames)
    middle = stills[len(stills) // 2]
    return _sweep(middle) or ("colour" if any(_has_colour(still) for still in stills) else "b")


def _stills(frames: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """A few frames of a clip; the image itself where there is one only."""
    coloured = frames.ndim == 4 or (frames.ndim == 3 and frames.shape[2] == 3)
    if frames.ndim == 2 + coloured:
        return [frames]
    numbers = np.unique(np.linspace(0, len(frames) - 1, STILLS + 2).round().astype(int)[1:-1])
    return [frames[number] for number in numbers]


def _has_colour(still: NDArray[np.uint8]) -> bool:
    """Whether echoes are coloured, or a scale of velocities is shown, warm at one end and cold at the other."""
    if still.ndim == 2:
        return False
    picture = picture_of(still)
    red, green, blue = (still[..., channel].astype(np.int16) for channel in range(3))
    coloured = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue) > COLOURED
    if not coloured.any():
        return False
    thick = block_means((coloured * np.uint8(255)), picture.step) > 127
    warm = block_means(((coloured & (red > blue)) * np.uint8(255)), picture.step) > 127
    cold = block_means(((coloured & (blue > red)) * np.uint8(255)), picture.step) > 127
    if min(warm.mean(), cold.mean()) > BAR:
        return True
    if thick.mean() < BAR:
        return False
    sector = find_sector(still)
    if sector is None:
        return False
    inside = block_means(sector.mask() * np.uint8(255), picture.step) > 127
    return float((thick & inside).sum()) > INSIDE * float(inside.sum())


def _sweep(still: NDArray[np.uint8]) -> Literal["m", "spectral"] | None:
    """Which sweep a still shows, if one."""
    grey = brightest(still)
    line = _straight_line(grey, still)
    if line is not None:
        row, first, last = line
        reach = round(WINDOW * len(grey))
        window = grey[max(0, row - reach) : row + reach, first:last]
        return "spectral" if _streaks(window) > STREAKS else "m"
    panel = _panel(grey)
    return "spectral" if panel is not None and _streaks(panel) > CLEAR_STREAKS else None


def _straight_line(grey: Bytes, still: NDArray[np.uint8]) -> tuple[int, int, int] | None:
    """Row, first and last column of the longest level line that is drawn across the image, if it is long enough."""
    lines = _thin(grey.astype(np.int16), RIDGE)
    if still.ndim == 3:
        lines |= _thin(grey.astype(np.int16) - still.min(axis=2), COLOURED)
    height, width = grey.shape
    rows = np.flatnonzero(lines.mean(axis=1) > LINE)
    rows = rows[(rows > HEADER * height) & (rows < FOOTER * height)]
    if not rows.size:
        return None
    column = np.arange(width)
    gap = np.maximum.accumulate(np.where(lines[rows], -1, column), axis=1)
    run = column - gap
    which, last = np.unravel_index(int(run.argmax()), run.shape)
    length = int(run[which, last])
    return (int(rows[which]), int(last) - length + 1, int(last)) if length > LINE * width else None


def _thin(values: NDArray[np.int16], by: int) -> Mask:
    """Where values exceed those a few rows above and below."""
    above = np.zeros(values.shape, dtype=bool)
    above[THIN:-THIN] = values[THIN:-THIN] > np.maximum(values[: -2 * THIN], values[2 * THIN :]) + by
    return above


def _panel(grey: Bytes) -> Bytes | None:
    """The part of the image that a wide region with upright edges fills, if there is one."""
    picture = picture_of(grey)
    found = regions(echoes_above(picture.coarse, backgrounds(picture.coarse)[-1], 3))
    if not found:
        return None
    region = found[0]
    first, last = region.argmax(axis=1), region.shape[1] - 1 - region[:, ::-1].argmax(axis=1)
    wide = region.any(axis=1) & (last - first > WIDE * region.shape[1])
    if not wide.any():
        return None
    left, right = int(np.median(first[wide])), int(np.median(last[wide]))
    upright = wide & (np.abs(first - left) < 3) & (np.abs(last - right) < 3)
    if upright.mean() < PANEL:
        return None
    rows, step = np.flatnonzero(upright), picture.step
    return grey[rows[0] * step : (rows[-1] + 1) * step, left * step : (right + 1) * step]


def _streaks(window: Bytes) -> float:
    """Mean change from column to column against that from row to row."""
    values = window.astype(np.int16)
    across, down = np.abs(np.diff(values, axis=1)).mean(), np.abs(np.diff(values, axis=0)).mean()
    return float(across / max(down, 1e-6))
