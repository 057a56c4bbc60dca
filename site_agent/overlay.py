"""An image with what was found in it: outlines of structures in colours, and a contour with its points."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Colour = tuple[int, int, int]

# told apart on grey, also by those who see red and green alike; after the last the first comes again
COLOURS: tuple[Colour, ...] = (
    (64, 200, 240),
    (250, 200, 60),
    (240, 90, 90),
    (130, 220, 110),
    (200, 130, 255),
    (255, 150, 40),
)
CURVE, POINT = (255, 255, 255), (255, 70, 180)
DISC = 100  # a point's disc has one pixel of radius for so many of the image's longer side


def colour_of(value: int) -> Colour:
    """Of the structure that is `value`, from 1 on, in a label map."""
    return COLOURS[(value - 1) % len(COLOURS)]


def overlay(image: Gray, labels: Gray | None, points: NDArray[np.float64] | None) -> Gray:
    """(H, W, 3) of an (H, W) image: outlines one pixel wide inside each structure, and a spline through points.

    Args:
        image: grey levels.
        labels: (H, W) structures from 1 on, 0 for none.
        points: (7, 2) pixels, x then y; of one that is not finite nothing is drawn.

    Raises:
        ValueError: the label map is of another size.
    """
    shown = np.repeat(image[..., None], 3, axis=2)
    if labels is not None:
        if labels.shape != image.shape:
            raise ValueError(f"the label map is {labels.shape}, its image {image.shape}")
        edges = _edges(labels)
        for value in np.unique(labels[edges]):
            shown[edges & (labels == value)] = colour_of(int(value))
    if points is not None and np.isfinite(points).all():
        _draw(shown, points)
    return shown


def _edges(labels: Gray) -> NDArray[np.bool_]:
    """(H, W) pixels of a structure beside a pixel of none or of another; the image's edge is no edge of theirs."""
    around = np.pad(labels, 1, mode="edge")
    beside = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    return np.asarray((labels > 0) & np.any([labels != each for each in beside], axis=0))


def _draw(shown: Gray, points: NDArray[np.float64]) -> None:
    """The curve, then the points on it."""
    from shared_models.long_axis import spline

    height, width = shown.shape[:2]
    with suppress(ValueError):  # two points are one, and no curve leads through them
        _paint(shown, spline(points), CURVE)
    reach = max(1, round(max(height, width) / DISC))
    steps = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    disc = steps[np.hypot(*steps.T) <= reach]
    _paint(shown, (np.rint(points)[:, None] + disc[None]).reshape(-1, 2), POINT)


def _paint(shown: Gray, points: NDArray[np.float64], colour: Colour) -> None:
    """Colours the pixels of points, x then y, that lie in the image."""
    x, y = np.rint(points).astype(np.int64).T
    inside = (x >= 0) & (x < shown.shape[1]) & (y >= 0) & (y < shown.shape[0])
    shown[y[inside], x[inside]] = colour
