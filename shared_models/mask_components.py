"""Clean-up of a predicted label map: of each structure its largest piece, without holes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]


def largest_pieces(labels: Labels, structures: Iterable[int], background: int = 0) -> Labels:
    """(H, W) label map with every piece of a structure but its largest turned to background, then its holes filled.

    Pieces hang together over edges, not corners; of equals the first from the top is kept. A hole is background that
    the piece encloses: another structure inside it stays.
    """
    found = labels.copy()
    for structure in structures:
        piece = largest_piece(labels == structure)
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


def holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) what a mask encloses without being it."""
    from scipy.ndimage import binary_fill_holes

    return np.asarray(binary_fill_holes(mask)) & ~mask
