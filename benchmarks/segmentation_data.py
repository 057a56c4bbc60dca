"""Stills with label maps at the phantom's hospitals: end-diastole and end-systole of apical views, without contrast.

Three hospitals learn, each with its own machines, patients and views; one of them labels the left ventricle and its
wall alone. Two hospitals only test. Images are cut to the box of their sector, as a site's intake does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.phantom.acquisition import Take, draw, shot_named
from deploy.phantom.orders import choose
from deploy.phantom.seeds import seed_of, share_of
from shared_models.phantom import labels as label
from shared_models.phantom.hospitals import HOSPITALS, Hospital
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.segmentation import Masked, at_side

STRUCTURES = {"LV": 1, "MYO": 2, "LA": 3, "RV": 4, "RA": 5}
TRUTH = {label.LV: 1, label.MYOCARDIUM: 2, label.LA: 3, label.RV: 4, label.RA: 5}
SITES, EXTERNAL = ("agate", "beryl", "citrine"), ("onyx", "quartz")
LABELLED: Mapping[str, tuple[int, ...] | None] = {"agate": None, "beryl": (1, 2), "citrine": None}
VIEWS = ("A2C", "A3C", "A4C")
MOMENTS = {"ED": 0.0, "ES": END_SYSTOLE}
TRAIN, CALIBRATION, TEST = "train", "calibration", "test"
SIZE = 160  # pixels of the square that a machine draws, before it is cut

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A still with its truth.

    Attributes:
        image, mask: (h, w); the mask holds values of `STRUCTURES`.
        spacing_mm: edge of a pixel.
        volume_ml: of the left ventricle.
    """

    site: str
    patient: str
    view: str
    moment: str
    image: Pixels
    mask: Pixels
    spacing_mm: float
    volume_ml: float


@dataclass(frozen=True)
class Patients:
    """How many patients of a hospital serve for what; an external one has those that test alone."""

    train: int = 20
    calibration: int = 20
    test: int = 8

    def folds(self, site: str) -> Mapping[str, range]:
        """Numbers of patients by fold."""
        if site in EXTERNAL:
            return {TEST: range(self.test)}
        counts = {TRAIN: self.train, CALIBRATION: self.calibration, TEST: self.test}
        ends = np.cumsum(list(counts.values()))
        return {fold: range(end - count, end) for (fold, count), end in zip(counts.items(), ends.tolist(), strict=True)}


def pictures(site: str, fold: str, seed: int, patients: Patients) -> list[Picture]:
    """Of a hospital's patients of a fold, at both moments of the beat.

    Who is learnt from is seen in the views that the hospital took; who tests, in all its apical views.
    Of a patient who calibrates there is one image.
    """
    hospital, found = HOSPITALS[site], []
    for number in patients.folds(site)[fold]:
        views = _views(hospital, seed, number, fold)
        for view in views:
            found += taken(hospital, seed, number, view, _moments(hospital, seed, number, fold))
    return found


def _views(hospital: Hospital, seed: int, number: int, fold: str) -> Sequence[str]:
    apical = [view for view in VIEWS if view in hospital.labels]
    if fold == TEST:
        return apical
    often = {view: hospital.balance.get(view, 1.0) for view in apical}
    drawn = {view: share_of(seed, "segmentation", hospital.name, number, view) / often[view] for view in apical}
    if fold == CALIBRATION:
        return [min(drawn, key=drawn.__getitem__)]
    return [view for view in apical if drawn[view] < 1] or [min(drawn, key=drawn.__getitem__)]


def _moments(hospital: Hospital, seed: int, number: int, fold: str) -> Sequence[str]:
    if fold != CALIBRATION:
        return list(MOMENTS)
    return ["ED" if share_of(seed, "segmentation", hospital.name, number, "moment") < 0.5 else "ES"]


def taken(hospital: Hospital, seed: int, number: int, view: str, moments: Sequence[str]) -> list[Picture]:
    """One view of one patient with the patient's one machine, cut to the sector's box and black outside it."""
    words = "segmentation", hospital.name, number
    take = Take(
        draw(seed_of(seed, *words, "patient"), choose(hospital.populations, share_of(seed, *words, "population"))),
        shot_named(view),
        choose(hospital.machines, share_of(seed, *words, "machine")),
        frames=[MOMENTS[moment] for moment in moments],
        seed=seed_of(seed, *words, view, "acquisition"),
        size=(SIZE, SIZE),
    )
    held = take.record()
    rows, columns = (np.flatnonzero(take.sector.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    patient = f"{hospital.name}-{seed}-{number:03d}"
    return [
        Picture(
            hospital.name, patient, view, moment, image[box], structures(marks[box]), take.spacing_mm, float(volume)
        )
        for moment, image, marks, volume in zip(moments, held.masked, held.labels, held.volumes_ml, strict=True)
    ]


def structures(marks: Pixels) -> Pixels:
    """The phantom's label map as values of `STRUCTURES`."""
    values = np.zeros(len(label.LABEL_NAMES), dtype=np.uint8)
    values[list(TRUTH)] = list(TRUTH.values())
    return values[marks]


def masked(given: Sequence[Picture], side: int, labelled: tuple[int, ...] | None) -> Masked:
    """What a hospital learns from: what it does not label is background in its masks."""
    parts = [at_side(Masked(each.image[None], each.mask[None]), side) for each in given]
    images, masks = (np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "masks"))
    if labelled is not None:
        masks = np.where(np.isin(masks, labelled), masks, 0).astype(np.uint8)
    return Masked(images, masks, labelled)
