"""Windows of clips: two short clips in a row, and whether the operator held still meanwhile (muscle views, c.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_models.scaling import resized

Clips = NDArray[np.uint8]
Rows = NDArray[np.int64]
CLIP = 5  # frames
WINDOW = 2 * CLIP
STEP = 5  # frames from window to window of a labelled section
STILL = 1e-5  # variance over time, of greys in [0, 1], below which the picture is held


def at_side(frames: Clips, side: int) -> Clips:
    """(T, H, W) frames brought to (T, side, side)."""
    return np.stack([resized(frame, side) for frame in frames])


def starts(frames: int, length: int = WINDOW, step: int = WINDOW) -> Rows:
    """Where the windows of so many frames begin; none where they are fewer than a window."""
    return np.arange(0, frames - length + 1, step)


def windows(frames: Clips, length: int = WINDOW, step: int = WINDOW) -> Clips:
    """(n, length, H, W) of (T, H, W) frames."""
    begins = starts(len(frames), length, step)
    return np.stack([frames[begin : begin + length] for begin in begins]) if len(begins) else _none(frames, length)


def _none(frames: Clips, length: int) -> Clips:
    return np.zeros((0, length, *frames.shape[1:]), np.uint8)


def still(clips: Clips, limit: float = STILL) -> NDArray[np.bool_]:
    """(n,) of (n, T, H, W): whether the mean over pixels of the variance over time is below a limit."""
    ranged = scaled_greys(clips)
    return np.asarray(ranged.var(axis=1).mean(axis=(1, 2)) < limit)


def scaled_greys(clips: Clips) -> NDArray[np.float32]:
    """(n, T, H, W) with the darkest pixel of each frame at 0 and its brightest at 1; frames of one grey are 0."""
    low = clips.min(axis=(2, 3), keepdims=True).astype(np.float32)
    high = clips.max(axis=(2, 3), keepdims=True).astype(np.float32)
    return (clips.astype(np.float32) - low) / np.maximum(high - low, 1)


def standard_windows(held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of a section's windows in a row show the standard view, from which of them are held (c.1, step 6).

    From the end, moving windows are passed over; the held ones before them in a row are the standard view. Where half
    of all windows are neither that nor before it, none is.
    """
    found = np.zeros(len(held), np.bool_)
    if not held.any():
        return found
    last = int(np.flatnonzero(held)[-1])
    moving = np.flatnonzero(~held[:last])
    first = int(moving[-1]) + 1 if len(moving) else 0
    if last + 1 >= len(held) / 2:
        found[first : last + 1] = True
    return found
