"""How far a contour is from the true one, in millimetres (contours, d.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.long_axis import enclosed, spline
from shared_models.segmentation_metrics import dice_of

Points = NDArray[np.float64]
SAMPLES = 200
BASE_1, APEX, BASE_2 = 0, 3, 6


@dataclass(frozen=True)
class ContourFit:
    """Of one image.

    Attributes:
        base_1_mm, apex_mm, base_2_mm: between the landmarks and the true ones.
        contour_mm: mean over both curves' samples of the distance to the nearest of the other's.
        hausdorff_mm: the largest of these.
        dice: of what both enclose.
    """

    base_1_mm: float
    apex_mm: float
    base_2_mm: float
    contour_mm: float
    hausdorff_mm: float
    dice: float

    @property
    def landmarks_mm(self) -> float:
        """Mean over the three landmarks."""
        return (self.base_1_mm + self.apex_mm + self.base_2_mm) / 3


def contour_fit(found: Points, truth: Points, spacing_mm: float, shape: tuple[int, int]) -> ContourFit:
    """Of (7, 2) points in pixels, whose edge is `spacing_mm`, in an image of a shape.

    Raises:
        ValueError: two neighbouring points are the same.
    """
    from scipy.spatial import cKDTree

    one, other = spline(found, SAMPLES), spline(truth, SAMPLES)
    apart = spacing_mm * np.concatenate([cKDTree(other).query(one)[0], cKDTree(one).query(other)[0]])
    landmarks = spacing_mm * np.linalg.norm(found - truth, axis=1)[[BASE_1, APEX, BASE_2]]
    dice = dice_of(enclosed(one, shape), enclosed(other, shape))
    base_1, apex, base_2 = (float(each) for each in landmarks)
    return ContourFit(base_1, apex, base_2, float(apart.mean()), float(apart.max()), dice)
