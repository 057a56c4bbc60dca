"""A frame as a classifier sees it: interface text, colour and whatever lies outside the sector taken away, made square.

The sector is found by what it is on every machine: the largest region that is not black. Thin things (an ECG trace,
depth ticks, text) vanish in an opening; the convex hull of what remains closes dark chambers and shadows. Real frames
and phantom frames go through the same steps. The fit of `shared_models.sector` is finer, but the committed results and
the one look at the held-out half of the gallery stand on this rule, so it stays as it was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SIDE = 80
COARSE = 256  # pixels of the longer side on which the sector is sought
DARK = 4.0  # grey levels above the background that count as an echo, on coarse pixels
COLOURED = 40  # largest minus smallest channel, from which on a pixel is coloured
COLOUR_BOX = 0.004  # share of coloured pixels in the sector, from which on there is a colour box


@dataclass(frozen=True)
class Frame:
    """A frame whose sector is known.

    Attributes:
        image: (H, W) uint8, cropped to the sector's box, 0 outside the sector.
        sector: (H, W), whether a pixel lies in the sector.
        coloured: (H, W), whether a pixel was coloured; such a pixel is as dark as blood in `image`.
    """

    image: Gray
    sector: Mask
    coloured: Mask

    @property
    def colour_box(self) -> bool:
        """Whether colour Doppler lies over the frame."""
        return float(self.coloured.sum()) > COLOUR_BOX * float(self.sector.sum())


def frame_of(image: NDArray[np.uint8]) -> Frame:
    """The sector of an (H, W) or (H, W, 3) image.

    Raises:
        ValueError: nothing but black.
    """
    grey, coloured = grey_and_coloured(image)
    sector = find_sector(grey)
    rows, columns = (np.flatnonzero(sector.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    grey, sector, coloured = grey[box], sector[box], coloured[box] & sector[box]
    plain = grey[sector & ~coloured]
    grey = np.where(coloured, np.uint8(np.quantile(plain, 0.2)) if plain.size else 0, grey)
    return Frame(np.where(sector, grey, 0).astype(np.uint8), sector, coloured)


def grey_and_coloured(image: NDArray[np.uint8]) -> tuple[Gray, Mask]:
    """An image's grey levels and which pixels are coloured.

    Raises:
        ValueError: neither a grey image nor one of three channels.
    """
    if image.ndim == 2:
        return image, np.zeros(image.shape, dtype=bool)
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a grey image or one of three channels is expected, not {image.shape}")
    spread = image.max(axis=2).astype(np.int16) - image.min(axis=2)
    return np.rint(image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8), spread > COLOURED


def find_sector(grey: Gray) -> Mask:
    """(H, W), the convex hull of the largest region that is not black.

    Raises:
        ValueError: nothing but black.
    """
    from scipy import ndimage

    height, width = grey.shape
    scale = min(1.0, COARSE / max(height, width))
    size = max(8, round(height * scale)), max(8, round(width * scale))
    small, brush = shrunk(grey, size), np.ones((3, 3), dtype=bool)
    background = float(np.median(np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])))
    echoes = ndimage.binary_opening(small > background + DARK, brush)
    regions, count = ndimage.label(ndimage.binary_closing(np.pad(echoes, 4), brush, iterations=2)[4:-4, 4:-4])
    if not count:
        raise ValueError("the image shows nothing but its background")
    largest = regions == 1 + int(np.argmax(ndimage.sum_labels(echoes, regions, np.arange(1, count + 1))))
    return hull(largest, (height, width))


def hull(region: Mask, size: tuple[int, int]) -> Mask:
    """The convex hull of a region's pixels, drawn on a raster of another size that covers the same image."""
    from scipy.spatial import ConvexHull, QhullError

    rows, columns = np.nonzero(region)
    corners = np.concatenate([np.stack([rows + a, columns + b], axis=1) for a in (0, 1) for b in (0, 1)]).astype(float)
    corners *= np.array(size) / np.array(region.shape)
    try:
        planes = ConvexHull(corners).equations
    except QhullError as error:  # pragma: no cover - four corners of a pixel are never on one line
        raise ValueError("the region has no area") from error
    y, x = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    inside = np.ones(size, dtype=bool)
    for normal_y, normal_x, offset in planes:
        inside &= (normal_y * y[:, None] + normal_x * x[None, :] + offset) <= 1e-9
    return inside


def shrunk(image: Gray, size: tuple[int, int]) -> Gray:
    """An image at (height, width), each new pixel a weighted mean of the old ones it covers."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))


def square(frame: Frame, side: int = SIDE) -> Gray:
    """A frame as (side, side): the sector's box in the middle of a black square at the top, its proportions kept."""
    height, width = frame.image.shape
    scale = side / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    out = np.zeros((side, side), dtype=np.uint8)
    left = (side - size[1]) // 2
    out[: size[0], left : left + size[1]] = shrunk(frame.image, size)
    return out


def prepared(image: NDArray[np.uint8], side: int = SIDE) -> Gray:
    """An image of any size as the (side, side) square that a classifier sees."""
    return square(frame_of(image), side)
