"""How well a reconstructed volume fits the true one: overlap, distance between surfaces, volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.segmentation_metrics import fit_of

Volumes = NDArray[np.floating]
Solid = NDArray[np.bool_]
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
IOU, PEAK = "IoU", "peak IoU"


@dataclass(frozen=True)
class PeakIou:
    """The best mean over cases, of one threshold for all of them.

    Attributes:
        iou: the mean.
        threshold: where it is reached, the lowest of equal ones.
    """

    iou: float
    threshold: float


def iou(found: Solid, truth: Solid) -> float:
    """Voxels in both over voxels in either, 0 to 1; NaN where there are none.

    Raises:
        ValueError: the volumes differ in shape.
    """
    if found.shape != truth.shape:
        raise ValueError(f"the reconstruction is {found.shape}, the truth {truth.shape}")
    either = int((found | truth).sum())
    return int((found & truth).sum()) / either if either else float("nan")


def ious(probabilities: Volumes, truths: Solid) -> NDArray[np.float64]:
    """(n, 8) of n hearts (n, E, E, E) at each of `THRESHOLDS`; what reaches a threshold counts.

    Raises:
        ValueError: the volumes differ in shape.
    """
    pairs = list(zip(probabilities, truths, strict=True))
    return np.array([[iou(found >= threshold, truth) for threshold in THRESHOLDS] for found, truth in pairs])


def peak_iou(each: NDArray[np.float64]) -> PeakIou:
    """Of (n, 8) `ious`: the largest of the means over hearts, not the mean of each heart's largest.

    Raises:
        ValueError: there is no heart.
    """
    if not len(each):
        raise ValueError("there is no heart to take a mean over")
    means = each.mean(axis=0)
    best = int(means.argmax())
    return PeakIou(float(means[best]), THRESHOLDS[best])


def overlap(probabilities: Volumes, truths: Solid) -> dict[str, float]:
    """Of n hearts (n, E, E, E), the mean overlap at 0.5, and where it is largest.

    Raises:
        ValueError: the volumes differ in shape, or there is none.
    """
    each = ious(probabilities, truths)
    return {PEAK: peak_iou(each).iou, IOU: float(each[:, THRESHOLDS.index(0.5)].mean())}


def hausdorff_95_mm(found: Solid, truth: Solid, spacing_mm: float) -> float:
    """95th percentile of the distance from one surface to the other, of both ways the larger; NaN if one is empty.

    Raises:
        ValueError: the volumes differ in shape.
    """
    if found.shape != truth.shape:
        raise ValueError(f"the reconstruction is {found.shape}, the truth {truth.shape}")
    return fit_of(found, truth, spacing_mm).hausdorff_95_mm


def volume_ml(solid: Solid, spacing_mm: float) -> float:
    """Of voxels whose edge is `spacing_mm`."""
    return int(solid.sum()) * spacing_mm**3 / 1000


def error_percent(found_ml: float, true_ml: float) -> float:
    """By how much of the true volume one is too large, or, below nought, too small.

    Raises:
        ValueError: there is no true volume.
    """
    if true_ml <= 0:
        raise ValueError(f"the true volume is {true_ml} ml; an error in percent needs one above 0")
    return 100 * (found_ml - true_ml) / true_ml
