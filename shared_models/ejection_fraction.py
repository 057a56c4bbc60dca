"""The ejection fraction from label maps of two apical views at both ends of the beat, by Simpson's biplane method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.long_axis import simpson_biplane
from shared_models.mask_contour import outline

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Chamber:
    """The left ventricle in one image.

    Attributes:
        cavity, myocardium: (H, W).
        spacing_mm: side of a pixel.
        atrium: (H, W) the left one, by which the valve is found more surely; None where it is not known.
    """

    cavity: Mask
    myocardium: Mask
    spacing_mm: float
    atrium: Mask | None = None


def volume_ml(four: Chamber, two: Chamber) -> float:
    """Of the left ventricle, from the apical four- and two-chamber view of one moment.

    Raises:
        ValueError: a view in which no outline can be found.
    """
    return simpson_biplane(_curve_mm(four), _curve_mm(two))


def _curve_mm(chamber: Chamber) -> NDArray[np.float64]:
    return outline(chamber.cavity, chamber.myocardium, chamber.atrium) * chamber.spacing_mm


def ejection_fraction(diastole: tuple[Chamber, Chamber], systole: tuple[Chamber, Chamber]) -> float:
    """In percent of the end-diastolic volume; each moment as its four- and its two-chamber view.

    Raises:
        ValueError: see `volume_ml` and `percent_ejected`.
    """
    return percent_ejected(volume_ml(*diastole), volume_ml(*systole))


def percent_ejected(diastole_ml: float, systole_ml: float) -> float:
    """What of the end-diastolic volume is no longer there at the end of systole.

    Raises:
        ValueError: there is no volume at the end of diastole.
    """
    if diastole_ml <= 0:
        raise ValueError("there is no volume at the end of diastole")
    return 100 * (diastole_ml - systole_ml) / diastole_ml
