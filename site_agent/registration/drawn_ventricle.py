"""The left ventricle's outline at end-diastole: from a label map, or from what the site's experts see.

A label map may hold the cavity alone. Then nothing tells where the valve is but the form: the apex is the upper end of
the long axis, and the valve lies between the two corners that are, on either side of that axis, farthest from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError, DataError
from shared_models.long_axis import along
from shared_models.mask_components import largest_piece
from shared_models.mask_contour import border, outline
from site_agent.truth import LA, LV, MYOCARDIUM, STRUCTURES

if TYPE_CHECKING:
    from site_agent.segmentation.segmenter import Seen

Gray = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Points = NDArray[np.float64]

HOUSE = {code: value for value, code in STRUCTURES["index"].items()}
CERTAIN = 4  # a value from which on a map is numbered as this project's pictures are
PER_SEGMENT = 20  # steps along each of the outline's six segments
RING = 3  # pixels about a cavity that stand for its wall
SMOOTH = 2.0  # points along the outline
VALUES = "say which are ventricle, myocardium and atrium, as in --values 1,2,3 (CAMUS) or --values 2,3,4 (here)"


@dataclass(frozen=True)
class Ventricle:
    """What is known of the left ventricle in one frame.

    Attributes:
        cavity: (H, W).
        myocardium, atrium: (H, W); None where they are not known.
    """

    cavity: Mask
    myocardium: Mask | None = None
    atrium: Mask | None = None


def of_labels(labels: Gray, values: tuple[int, ...] | None, where: str) -> Ventricle:
    """The ventricle of a label map.

    Args:
        labels: (H, W).
        values: of ventricle, myocardium and atrium, as many as are drawn; None to tell by the map itself: of one
            value it is the cavity, and of several they are those of this project's pictures where no doubt is left.
        where: the file.

    Raises:
        DataError: the map does not say which of its values is the ventricle, or holds none.
    """
    known = sorted(set(np.unique(labels).tolist()) - {0})
    if not known:
        raise DataError("is empty: nothing is drawn", where=where, cure="name another label map")
    if values is None:
        if len(known) > 1 and max(known) < CERTAIN:
            raise DataError(f"holds the values {', '.join(map(str, known))}", where=where, cure=VALUES)
        values = tuple(known) if len(known) == 1 else (HOUSE[LV], HOUSE[MYOCARDIUM], HOUSE[LA])
    found = [labels == value for value in values]
    if not found[0].any():
        raise DataError(f"holds no value {values[0]}, which is to be the ventricle", where=where, cure=VALUES)
    return Ventricle(found[0], *(mask if mask.any() else None for mask in found[1:3]))


def of_experts(seen: Seen) -> Ventricle:
    """The ventricle that the site's experts of segmentation see."""
    masks: Mapping[str, Mask] = {code: seen.mask(code) for code in (LV, MYOCARDIUM, LA)}
    return Ventricle(masks[LV], *(masks[code] if masks[code].any() else None for code in (MYOCARDIUM, LA)))


def outlined(ventricle: Ventricle, where: str) -> Points:
    """(121, 2) pixels, x then y: six segments of equal steps on each side, from the left end of the base to the right.

    Raises:
        ConsiliumError: no outline can be found.
    """
    try:
        wall = ventricle.myocardium if ventricle.myocardium is not None else wall_about(ventricle.cavity)
        return in_segments(outline(ventricle.cavity, wall, ventricle.atrium))
    except ValueError as error:
        cure = "name a label map of an apical view with the whole ventricle"
        raise ConsiliumError(f"gives no outline: {error}", where=where, cure=cure) from error


def in_segments(curve: Points) -> Points:
    """(121, 2): each side of the apex in three segments of equal length, these in equal steps, smoothed a little."""
    from scipy.ndimage import gaussian_filter1d

    middle = (curve[0] + curve[-1]) / 2
    apex = int(np.argmax(((curve - middle) ** 2).sum(axis=1)))
    if not 0 < apex < len(curve) - 1:
        raise ValueError("its apex lies at the valve")
    shares = np.linspace(0, 1, 3 * PER_SEGMENT + 1)
    found = np.concatenate([along(curve[: apex + 1], shares), along(curve[apex:], shares)[1:]])
    smooth = np.asarray(gaussian_filter1d(found, SMOOTH, axis=0, mode="nearest"))
    smooth[[0, -1]] = found[[0, -1]]
    return smooth


def wall_about(cavity: Mask) -> Mask:
    """(H, W) a ring about a cavity that is open at the valve, whose place its form alone tells.

    Raises:
        ValueError: nothing is drawn.
    """
    from scipy.ndimage import binary_dilation

    piece = largest_piece(cavity)
    pixels = np.argwhere(piece).astype(np.float64)
    if len(pixels) < 2:
        raise ValueError("nothing is drawn")
    centre = pixels.mean(axis=0)
    axis = np.linalg.eigh(np.cov((pixels - centre).T))[1][:, -1]
    down = axis if axis[0] > 0 else -axis
    across = np.array([-down[1], down[0]])
    edge = np.argwhere(border(piece)).astype(np.float64) - centre
    apex = edge[(edge @ down).argmin()]
    far = np.linalg.norm(edge - apex, axis=1)
    sides = edge @ across
    ends = sorted(
        (edge[np.where(side, far, -1).argmax()] for side in (sides < 0, sides >= 0)), key=lambda end: end @ across
    )
    ring = binary_dilation(piece, np.ones((3, 3), bool), iterations=RING) & ~piece
    at = np.argwhere(np.ones_like(piece)).astype(np.float64) - centre
    beside, below = at @ across, at @ down
    first, last = (float(end @ across) for end in ends)
    valve = np.interp(beside, [first, last], [float(end @ down) for end in ends])
    free = ((beside > first) & (beside < last) & (below > 0)) | (below > valve)
    return np.asarray(ring & ~free.reshape(piece.shape))
