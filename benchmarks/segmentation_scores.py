"""How well label maps fit the truth: by structure and image, as they come and cleaned up, and as ejection fractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.segmentation_data import STRUCTURES, Picture, Pixels
from shared_models.ejection_fraction import Chamber, ejection_fraction
from shared_models.mask_components import LARGE, largest_pieces
from shared_models.segmentation_metrics import fits

Array = NDArray[np.float64]

COUNTED = {"A2C": ("LV", "MYO", "LA"), "A3C": ("LV", "MYO", "LA"), "A4C": ("LV", "MYO", "LA", "RV", "RA")}
MEASURES = ("Dice", "Hausdorff, mm", "HD95, mm")
RAW, CLEAN = 0, 1
MARGIN = 6  # pixels about the left ventricle that an outline is sought in, and the atrium that it meets


@dataclass(frozen=True)
class Scores:
    """Of one contestant on n pictures.

    Attributes:
        fits: (n, 2, structures, measures), as it comes and cleaned up; NaN where a view does not count a structure, the
            contestant does not know it, or a distance has no outline.
        ejection: patient -> percent, from cleaned up masks; NaN where no outline was found.
    """

    fits: Array
    ejection: Mapping[str, float]


def scored(shown: Sequence[Picture], found: Sequence[Pixels], known: Sequence[str] = tuple(STRUCTURES)) -> Scores:
    """Label maps of pictures, from who knows some of the structures."""
    clean = [largest_pieces(labels, STRUCTURES.values(), least=LARGE) for labels in found]
    each = [_of_picture(*one, known) for one in zip(shown, found, clean, strict=True)]
    return Scores(np.stack(each), ejections(shown, clean))


def _of_picture(shown: Picture, found: Pixels, clean: Pixels, known: Sequence[str]) -> Array:
    counted = {name: STRUCTURES[name] for name in COUNTED[shown.view] if name in known}
    result = np.full((2, len(STRUCTURES), len(MEASURES)), np.nan)
    before = fits(found, shown.mask, counted, shown.spacing_mm)
    after = before if np.array_equal(found, clean) else fits(clean, shown.mask, counted, shown.spacing_mm)
    for place, by_name in ((RAW, before), (CLEAN, after)):
        for name, fit in by_name.items():
            result[place, STRUCTURES[name] - 1] = fit.dice, fit.hausdorff_mm, fit.hausdorff_95_mm
    return result


def ejections(shown: Sequence[Picture], masks: Sequence[Pixels]) -> dict[str, float]:
    """Percent by patient, of those who were seen in both views at both moments."""
    chambers: dict[str, dict[tuple[str, str], Chamber]] = {}
    for picture, mask in zip(shown, masks, strict=True):
        chambers.setdefault(picture.patient, {})[picture.moment, picture.view] = _chamber(mask, picture.spacing_mm)
    return {patient: _ejection(held) for patient, held in chambers.items() if ("ED", "A2C") in held}


def _ejection(held: Mapping[tuple[str, str], Chamber]) -> float:
    try:
        diastole, systole = ((held[moment, "A4C"], held[moment, "A2C"]) for moment in ("ED", "ES"))
        return ejection_fraction(diastole, systole)
    except ValueError:
        return float("nan")


def _chamber(mask: Pixels, spacing_mm: float) -> Chamber:
    """The left ventricle's neighbourhood alone, since an outline takes time with every pixel."""
    heart = np.isin(mask, (STRUCTURES["LV"], STRUCTURES["MYO"]))
    if heart.any():
        rows, columns = (np.flatnonzero(heart.any(axis=axis)) for axis in (1, 0))
        mask = np.pad(mask, MARGIN)[rows[0] : rows[-1] + 1 + 2 * MARGIN, columns[0] : columns[-1] + 1 + 2 * MARGIN]
    cavity, wall, atrium = (mask == STRUCTURES[name] for name in ("LV", "MYO", "LA"))
    return Chamber(cavity, wall, spacing_mm, atrium)


def true_ejections(shown: Sequence[Picture]) -> dict[str, float]:
    """Percent by patient, of the phantom's volumes."""
    volumes: dict[str, dict[str, float]] = {}
    for picture in shown:
        volumes.setdefault(picture.patient, {})[picture.moment] = picture.volume_ml
    return {patient: 100 * (held["ED"] - held["ES"]) / held["ED"] for patient, held in volumes.items()}


def by_patient(values: Array, shown: Sequence[Picture]) -> dict[str, Array]:
    """Means of (n, ...) values over a patient's pictures; NaN where there is none."""
    rows: dict[str, list[int]] = {}
    for row, picture in enumerate(shown):
        rows.setdefault(picture.patient, []).append(row)
    return {patient: mean_over(values[own]) for patient, own in rows.items()}


def mean_over(values: Array) -> Array:
    """Over the first axis, without those that are no number."""
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0.0).sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
