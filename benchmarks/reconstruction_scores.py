"""How well one heart was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.reconstruction_hearts import Seen
from benchmarks.reconstruction_settings import VENTRICLE
from shared_models.reconstruction.volume_metrics import error_percent, hausdorff_95_mm, ious, volume_ml

HALF = 0.5


@dataclass(frozen=True)
class Scores:
    """Of one heart; None where a method says nothing, or where no volume is sought.

    Attributes:
        patient: whose.
        ious: at each of `THRESHOLDS`.
        hausdorff_mm: 95th percentile, of the solid at a half; the cube's edge where that is empty.
        error: percent by which the left ventricle's volume is off, of the solid at a half.
        summed_error: the same of the sum of probabilities.
        voxels_error: the same of the true voxels.
        guessed: whether the answer is the usual volume, since none could be found.
    """

    patient: str
    ious: list[float] | None
    hausdorff_mm: float | None
    error: float | None
    summed_error: float | None = None
    voxels_error: float | None = None
    guessed: bool = False


def scores(seen: Seen, found: NDArray[np.float32]) -> Scores:
    """Of (E, E, E) probabilities."""
    example, target, solid = seen.heart.example, seen.target, found >= HALF
    edge = example.spacing_mm
    distance = hausdorff_95_mm(solid, target, edge)
    overlaps: list[float] = ious(found[None], target[None])[0].tolist()
    far = distance if np.isfinite(distance) else edge * len(target)
    if seen.sought != VENTRICLE:
        return Scores(example.patient, overlaps, far, None)
    volumes = (volume_ml(solid, edge), float(found.sum(dtype=np.float64)) * edge**3 / 1000, volume_ml(target, edge))
    own, summed, voxels = (error_percent(volume, example.lv_volume_ml) for volume in volumes)
    return Scores(example.patient, overlaps, far, own, summed, voxels)


def volume_scores(seen: Seen, found_ml: float | None, usual_ml: float) -> Scores:
    """Of a volume alone, or of the usual one where none could be found."""
    example, guessed = seen.heart.example, found_ml is None
    error = error_percent(usual_ml if found_ml is None else found_ml, example.lv_volume_ml)
    return Scores(example.patient, None, None, error, guessed=guessed)
