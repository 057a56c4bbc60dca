"""Pictures of named views as a network takes them: 224 pixels a side, grey from 0 to 1, on black."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from shared_models.phantom.volumes import PLANE_PIXELS
from shared_models.reconstruction.named_views import planes_of
from site_agent.reconstruction.view_names import Named

Gray = NDArray[np.uint8]
WALLS = np.array([0, 102, 153, 204, 255])  # greys of a picture of walls
NEAR, MOST_OTHERS = 3, 0.1  # how far from one a pixel may be; what share may be further, between walls


@dataclass(frozen=True)
class Picture:
    """What a network is shown of a view.

    Attributes:
        view: its name.
        path: where it came from.
        plane: (224, 224) float32 in [0, 1].
        pixel_mm: edge of a pixel, if it is known.
        doubts: lines on what was done to it, or is odd about it.
        origin: (H, W, 3) the ultrasound image that it was made of, with what was found there; None if there is none.
    """

    view: str
    path: Path
    plane: NDArray[np.float32]
    pixel_mm: float | None
    doubts: tuple[str, ...] = ()
    origin: Gray | None = None


def read_walls(named: Named, pixel_mm: float | None) -> Picture:
    """A picture of walls, grey by chamber, as the network was taught.

    Args:
        named: the file, of which the first frame counts.
        pixel_mm: edge of the file's pixels; None to go by what the file says of itself.

    Raises:
        DataError: no file that can be read, one with values that are no numbers, or a picture that is constant.
    """
    from site_agent.sources.files import open_file
    from site_agent.sources.images import check_usable, luma

    try:
        opened = open_file(named.path)
        image = luma(next(iter(opened.frames())))
        check_usable(image)
    except DataError as error:
        raise DataError(error.what, where=str(named.path), cure=error.cure) from error
    told = opened.facts.spacing_mm
    if pixel_mm is None and told is not None:
        pixel_mm = float(np.sqrt(told[0] * told[1]))
    plane, shrunk, doubts = squared(image)
    if _strange(image):
        doubts += ("its greys are not those of walls; of an ultrasound image make such a picture with --segment",)
    return Picture(named.view, named.path, plane, None if pixel_mm is None else pixel_mm * shrunk, doubts)


def squared(image: Gray) -> tuple[NDArray[np.float32], float, tuple[str, ...]]:
    """An image (H, W) in the middle of a black square, brought to the network's size.

    Returns:
        (224, 224) in [0, 1]; how many of the image's pixels one of its pixels is wide; what was done, in words.
    """
    from shared_models.scaling import resized

    height, width = image.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((side, side), np.uint8)
    square[top : top + height, left : left + width] = image
    done: tuple[str, ...] = ()
    if height != width:
        done += (f"{width}x{height} pixels were set in the middle of a black square",)
    if side != PLANE_PIXELS:
        done += (f"{side} pixels a side were brought to {PLANE_PIXELS}",)
    return planes_of(resized(square, PLANE_PIXELS)), side / PLANE_PIXELS, done


def _strange(image: Gray) -> bool:
    off = np.abs(image.astype(np.int64)[..., None] - WALLS).min(axis=-1) > NEAR
    return float(off.mean()) > MOST_OTHERS
