"""Images brought to one size and vectors to one length, alike in every front end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Array = NDArray[np.float64]


def resized(image: Gray, side: int) -> Gray:
    """(side, side), stretched, with each new pixel a weighted mean of the old ones it covers."""
    from PIL import Image

    if image.shape == (side, side):
        return image
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))


def resized_labels(labels: Gray, shape: tuple[int, int]) -> Gray:
    """(H, W) label map brought to a shape, each new pixel the old one at its middle."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64) for new, old in zip(shape, labels.shape, strict=True)
    )
    return np.asarray(labels[rows[:, None], columns])


def unit(values: Array) -> Array:
    """The vector at length 1; zeros stay zeros."""
    length = float(np.linalg.norm(values))
    return values / length if length else values
