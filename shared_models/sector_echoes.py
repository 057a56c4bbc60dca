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
PIECE = 0.05  # of the largest region's size, from which on another one may be a piece of the same sector
COLOURED = 40  # largest minus smallest channel, from which on a pixel is coloured
OTHER = 0.2  # of the largest region's size, from which on another one may be the sector
COMMON = 0.08  # share of an image that shows one grey level, from which on that is a background


@dataclass(frozen=True)
class Picture:
    """A still and its coarse copy.

    Attributes:
        fine: (H, W) the brightest of each pixel over frames and channels.
        coarse: (h, w) means of `step` x `step` pixels of it.
        step: pixels of `fine` in one of `coarse`.
        coloured: share of pixels that are coloured.
    """

    fine: Bytes
    coarse: Floats32
    step: int
    coloured: float


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

    def free(self) -> Mask:
        """Which regions are of some size and do not touch the image's border, as panels of an interface do."""
        border = np.concatenate([self.labels[0], self.labels[-1], self.labels[:, 0], self.labels[:, -1]])
        free = self.sizes > PIECE * self.sizes.max(initial=0)
        free[border] = False
        return np.asarray(free)


def picture_of(frames: Bytes) -> Picture:
    """The still of (H, W), (T, H, W), (H, W, 3) or (T, H, W, 3).

    Raises:
        ValueError: another shape or type.
    """
    fine = brightest(frames)
    step = max(1, -(-max(fine.shape) // COARSE))
    return Picture(fine, block_means(fine, step), step, _coloured(frames, fine.shape, step))


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


def _coloured(frames: Bytes, shape: tuple[int, ...], step: int) -> float:
    """Share of coloured pixels in the first frame, looked at in every `step`-th row and column."""
    if frames.shape[-1] != 3 or frames.shape[-3:-1] != shape:
        return 0.0
    some = frames[0] if frames.ndim == 4 else frames
    some = some[::step, ::step].astype(np.int16)
    return float((some.max(axis=2) - some.min(axis=2) > COLOURED).mean())


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


def echoes_above(coarse: Floats32, background: float, opening: int) -> Echoes:
    """What is brighter than a background, in regions.

    Args:
        coarse: (h, w) the image.
        background: grey level of no echo.
        opening: pixels a thing has to be wide and high in order not to be thin.
    """
    from scipy import ndimage

    thick = _opened(coarse > background + DARK, opening)
    labels, count = ndimage.label(thick)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return Echoes(coarse, background, thick, labels.astype(np.int32, copy=False), sizes)


def _opened(mask: Mask, side: int) -> Mask:
    from scipy import ndimage

    values = mask.astype(np.uint8)
    low = ndimage.minimum_filter(values, side, mode="nearest")
    return np.asarray(ndimage.maximum_filter(low, side, mode="constant"), dtype=bool)


def regions(echoes: Echoes) -> list[Mask]:
    """(h, w) candidates for the echoes of a sector, likeliest first; none where nothing is above the background.

    The largest region; all of some size together, for shadows may cut a sector; and where the largest touches the
    image's border and may be a panel, each other large one that does not.
    """
    sizes, free = echoes.sizes, echoes.free()
    if not sizes.any():
        return []
    largest = int(sizes.argmax())
    wanted = [np.array([largest]), np.flatnonzero(sizes > PIECE * sizes[largest])]
    if not free[largest]:
        wanted += [np.array([number]) for number in np.flatnonzero(free & (sizes > OTHER * sizes[largest]))]
    return [np.isin(echoes.labels, numbers) for numbers in wanted[: 1 if len(wanted[1]) == 1 else None]]
