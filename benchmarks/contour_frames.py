"""Phantom frames with the left ventricle's contour: apical views of many patients, as a site's intake would keep them.

Black outside the sector, cut to the sector's box and stretched to a square. Every frame is of another moment of the
beat; a patient has one machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deploy.phantom.acquisition import Take, draw, shot_named
from deploy.phantom.seeds import seed_of, share_of
from shared_models.contour_training import Contoured
from shared_models.phantom.hospitals import HOSPITALS
from shared_models.phantom.labels import LV, MYOCARDIUM
from shared_models.phantom.population import POPULATIONS
from shared_models.scaling import resized
from shared_models.segmentation import Masked

VIEWS = ("A2C", "A3C", "A4C")
MACHINES = tuple(sorted({machine for hospital in HOSPITALS.values() for machine in hospital.machines}))
DRAWN = 160  # pixels a side of what the phantom draws
CAVITY, WALL = 1, 2  # in masks

Floats = NDArray[np.float64]
Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Frames:
    """n frames and their truth.

    Attributes:
        images: (n, S, S).
        masks: (n, S, S) of cavity and wall, 0 elsewhere.
        points: (n, 7, 2) pixels.
        spacing_mm: (n, 2) width and height of a pixel.
        patients: (n,) their numbers.
        views, machines: of each.
        left_out: how many frames were not taken because the sector does not show the whole contour.
    """

    images: Images
    masks: Images
    points: Floats
    spacing_mm: Floats
    patients: NDArray[np.int64]
    views: tuple[str, ...]
    machines: tuple[str, ...]
    left_out: int

    @cached_property
    def contoured(self) -> Contoured:
        """For what learns contours."""
        return Contoured(self.images, self.points)

    @cached_property
    def masked(self) -> Masked:
        """For what learns masks."""
        return Masked(self.images, self.masks)


@dataclass(frozen=True)
class _One:
    image: Images
    mask: Images
    points: Floats
    spacing_mm: Floats


def frames(seed: int, patients: Sequence[int], side: int) -> Frames:
    """A frame of each view of each patient; machines and populations take turns.

    Args:
        seed: of everything.
        patients: their numbers.
        side: S.
    """
    asked = [(patient, view) for patient in patients for view in VIEWS]
    taken = [_frame(seed, patient, view, side) for patient, view in asked]
    kept = [(one, *what) for one, what in zip(taken, asked, strict=True) if np.isfinite(one.points).all()]
    return Frames(
        images=np.stack([one.image for one, _, _ in kept]),
        masks=np.stack([one.mask for one, _, _ in kept]),
        points=np.stack([one.points for one, _, _ in kept]),
        spacing_mm=np.stack([one.spacing_mm for one, _, _ in kept]),
        patients=np.array([patient for _, patient, _ in kept]),
        views=tuple(view for _, _, view in kept),
        machines=tuple(machine_of(patient) for _, patient, _ in kept),
        left_out=len(asked) - len(kept),
    )


def machine_of(patient: int) -> str:
    """Patients go round the machines."""
    return MACHINES[patient % len(MACHINES)]


def population_of(patient: int) -> str:
    """Each population comes to each machine."""
    names = tuple(POPULATIONS)
    return names[patient // len(MACHINES) % len(names)]


def _frame(seed: int, patient: int, view: str, side: int) -> _One:
    words = "contours", patient
    take = Take(
        draw(seed_of(seed, *words), population_of(patient)),
        shot_named(view),
        machine_of(patient),
        frames=(share_of(seed, *words, view, "phase"),),
        seed=seed_of(seed, *words, view),
        size=(DRAWN, DRAWN),
    )
    frame = next(take.frames())
    rows, columns = (np.flatnonzero(take.sector.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    image = np.where(take.sector, frame.image, 0).astype(np.uint8)[box]
    scale = side / np.array(image.shape[::-1])
    at = [((np.arange(side) + 0.5) / share).astype(np.int64) for share in scale]
    near = frame.labels[box][at[1][:, None], at[0]]
    mask = np.where(near == LV, CAVITY, np.where(near == MYOCARDIUM, WALL, 0)).astype(np.uint8)
    points = (frame.contour.astype(np.float64) - [columns[0], rows[0]] + 0.5) * scale - 0.5
    return _One(resized(image, side), mask, points, take.spacing_mm / scale)
