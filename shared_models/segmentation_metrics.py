"""How well a predicted label map fits the true one, by structure: Dice, and Hausdorff distances in millimetres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.mask_contour import border

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Fit:
    """Of one structure in one image.

    Attributes:
        dice: 0 to 1; NaN where neither map has it.
        hausdorff_mm, hausdorff_95_mm: the largest distance between the outlines, and its 95th percentile; NaN where a
            map does not have it.
    """

    dice: float
    hausdorff_mm: float
    hausdorff_95_mm: float


def fits(found: Labels, truth: Labels, structures: Mapping[str, int], spacing_mm: float) -> dict[str, Fit]:
    """Fits by structure of (H, W) label maps whose pixels have an edge of `spacing_mm`.

    Raises:
        ValueError: the maps differ in size.
    """
    if found.shape != truth.shape:
        raise ValueError(f"the prediction is {found.shape}, the truth {truth.shape}")
    return {name: fit_of(found == value, truth == value, spacing_mm) for name, value in structures.items()}


def fit_of(found: NDArray[np.bool_], truth: NDArray[np.bool_], spacing_mm: float) -> Fit:
    """Of two masks of any equal shape whose pixels, or voxels, have an edge of `spacing_mm`."""
    dice = dice_of(found, truth)
    if not found.any() or not truth.any():
        return Fit(dice, float("nan"), float("nan"))
    both = _to_outline(found, truth, spacing_mm), _to_outline(truth, found, spacing_mm)
    return Fit(dice, *(max(float(np.percentile(each, share)) for each in both) for share in (100, 95)))


def dice_of(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Of two masks of any equal shape, 0 to 1; NaN of two empty ones."""
    total = int(found.sum() + truth.sum())
    return 2 * int((found & truth).sum()) / total if total else float("nan")


def _to_outline(one: NDArray[np.bool_], other: NDArray[np.bool_], spacing_mm: float) -> NDArray[np.float64]:
    """Millimetres from every pixel of one outline to the nearest of the other."""
    from scipy.ndimage import distance_transform_edt

    distance = distance_transform_edt(~border(other), sampling=spacing_mm)
    return np.asarray(distance[border(one)])
