"""Where an image shows something: a still of a clip, its coarse copy, and the region most likely to be echoes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

COARSE = 160  # pixels of the longer side on which a sector is sought
FRAMES = 6  # of a clip that are looked at
DARK = 2.5  # grey levels above the background that count as an echo, on coarse pixels
BLACK = 0.03  # share of an image that is at least background
PIECE = 0.08  # of the largest region's size, from which on another one may be a piece of the same sector
COMMON = 0.08  # share of an image that shows one grey level, from which on that is a background


@dataclass(frozen=True)
class Picture:
    """A still and its coarse copy.

    Attributes:
        fine: (H, W) the brightest of each pixel over frames and channels.
        coarse: (h, w) means of `step` x `step` pixels of it.
        step: pixels of `fine` in one of `coarse`.
    """

    fine: Bytes
    coarse: Floats32
    step: int


@dataclass(frozen=True)
class Echoes:
    """What of a coarse image lies above a background.

    Attributes:
        coarse: (h, w) the image.
        background: grey level of no echo.
        thick: (h, w) what is brighter, without what is thin: a trace, ticks, most of a text.
        labels: (h, w) number of the region of each pixel, 0 for none.
        sizes: thick pixels of each region; 0 for number 0.
    """

    coarse: Floats32
    background: float
    thick: Mask
    labels: NDArray[np.int32]
    sizes: NDArray[np.int64]


def picture_of(frames: Bytes) -> Picture:
    """The still of (H, W), (T, H, W), (H, W, 3) or (T, H, W, 3).

    Raises:
        ValueError: another shape or type.
    """
    fine = brightest(frames)
    step = max(1, -(-max(fine.shape) // COARSE))
    return Picture(fine, block_means(fine, step), step)


def brightest(frames: Bytes) -> Bytes:
    """(H, W) the brightest of each pixel over channels and over a handful of frames.

    Raises:
        ValueError: no image or clip of bytes.
    """
    if frames.dtype != np.uint8 or not 2 <= frames.ndim <= 4 or 0 in frames.shape:
        raise ValueError(f"an image or a clip of bytes is expected, not {frames.dtype} of shape {frames.shape}")
    coloured = frames.ndim == 4 or (frames.ndim == 3 and frames.shape[2] == 3)
    if coloured and frames.shape[-1] != 3:
        raise ValueError(f"three channels are expected, not {frames.shape[-1]}")
    if frames.ndim == 2 + coloured:
        frames = frames[None]
    some = frames[np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))] if len(frames) > 1 else frames
    still = some[0] if len(some) == 1 else some.max(axis=0)
    return np.maximum(np.maximum(still[..., 0], still[..., 1]), still[..., 2]) if coloured else still


def block_means(image: Bytes, step: int) -> Floats32:
    """(H // step, W // step) means of whole squares; what is left over at the right and bottom is dropped."""
    height, width = (side // step for side in image.shape)
    whole = image[: height * step, : width * step]
    if step == 1:
        return whole.astype(np.float32)
    rows = whole.reshape(height, step, -1).sum(axis=1, dtype=np.uint16 if step < 256 else np.uint32)
    return (rows.reshape(height, width, step).sum(axis=2, dtype=np.uint32) / np.float32(step * step)).astype(np.float32)


def backgrounds(coarse: Floats32) -> list[float]:
    """Grey levels that may be the background: the darkest, and the commonest of the darker half where it is another."""
    ordered = np.sort(coarse, axis=None)
    darkest = float(ordered[int(BLACK * len(ordered))])
    count = np.bincount(np.rint(ordered[: len(ordered) // 2 + 1]).astype(int))
    common = int(count.argmax())
    other = common > darkest + DARK and count[common] > COMMON * len(ordered)
    return [darkest, float(common)] if other else [darkest]


def echoes_above(coarse: Floats32, background: float, opening: int, closing: int) -> Echoes:
    """What is brighter than a background, in regions.

    Args:
        coarse: (h, w) the image.
        background: grey level of no echo.
        opening: pixels a thing has to be wide and high in order not to be thin.
        closing: pixels of the gaps over which regions reach, plus one.
    """
    from scipy import ndimage

    thick = _opened(coarse > background + DARK, opening)
    closed = thick
    if closing > 1:
        closed = ~_opened(~np.pad(thick, closing), closing)[closing:-closing, closing:-closing]
    labels, count = ndimage.label(closed)
    return Echoes(
        coarse, background, thick, labels.astype(np.int32, copy=False), np.bincount(labels[thick], minlength=count + 1)
    )


def _opened(mask: Mask, side: int) -> Mask:
    from scipy import ndimage

    values = mask.astype(np.uint8)
    low = ndimage.minimum_filter(values, side, mode="nearest")
    return np.asarray(ndimage.maximum_filter(low, side, mode="constant"), dtype=bool)


def regions(echoes: Echoes) -> list[Mask]:
    """(h, w) candidates for the echoes of a sector: the largest region, then all of some size, for shadows may cut one.

    None where nothing is above the background.
    """
    sizes = echoes.sizes
    if not sizes.any():
        return []
    largest = int(sizes.argmax())
    found = [(echoes.labels == largest) & echoes.thick]
    pieces = np.flatnonzero(sizes > PIECE * sizes[largest])
    return found if len(pieces) == 1 else [*found, np.isin(echoes.labels, pieces) & echoes.thick]
