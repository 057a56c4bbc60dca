"""Clean-up of a predicted label map: of each structure its largest piece, or its large ones, without holes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]
LARGE = 0.2  # of the largest piece: the sector may cut the wall of a heart in two


def largest_pieces(
    labels: Labels, structures: Iterable[int], background: int = 0, *, least: float | None = None
) -> Labels:
    """(H, W) label map with every piece of a structure but its largest turned to background, then its holes filled.

    Pieces hang together over edges, not corners; of equals the first from the top is kept. With `least` also those
    stay that have at least this share of the largest one's pixels. A hole is background that is enclosed: another
    structure inside it stays.
    """
    found = labels.copy()
    for structure in structures:
        mask = labels == structure
        piece = largest_piece(mask) if least is None else large_pieces(mask, least)
        found[(labels == structure) & ~piece] = background
        found[holes(piece) & (found == background)] = structure
    return found


def largest_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) the largest piece of a mask; nothing of an empty one."""
    from scipy.ndimage import label

    numbered, count = label(mask)
    if not count:
        return np.zeros_like(mask)
    sizes = np.bincount(numbered.ravel())[1:]
    return np.asarray(numbered == 1 + int(sizes.argmax()))


def large_pieces(mask: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
    """(H, W) the pieces of a mask with at least a share of the largest one's pixels; nothing of an empty one."""
    from scipy.ndimage import label

    numbered, count = label(mask)
    if not count:
        return np.zeros_like(mask)
    sizes = np.bincount(numbered.ravel())[1:]
    return np.isin(numbered, 1 + np.flatnonzero(sizes >= least * sizes.max()))


def holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) what a mask encloses without being it."""
    from scipy.ndimage import binary_fill_holes

    return np.asarray(binary_fill_holes(mask)) & ~mask
