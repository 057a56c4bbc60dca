"""Hearts of the contest of reconstruction: who learns from whom, and what a method may see of a heart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.reconstruction_settings import VENTRICLE, WALLS, Setting
from shared_models.phantom.planes import Plane
from shared_models.phantom.volumes import PLANE_PIXELS
from shared_models.reconstruction.named_views import planes_of
from shared_models.reconstruction.plane_places import Places, places
from shared_models.reconstruction.shape_examples import MOMENTS, Example, ShapePlan, Target, shape_patient
from shared_models.reconstruction.shape_folder import examples

PATIENTS_A_SEED = 10_000


@dataclass(frozen=True)
class Heart:
    """One heart at one moment.

    Attributes:
        seed: of its patient.
        example: nine planes, off as a hand holds them, and the walls.
        ventricle: (E, E, E) the left ventricle's blood.
    """

    seed: int
    example: Example
    ventricle: NDArray[np.bool_]

    def labels(self, cut: Plane, pixel_mm: float) -> NDArray[np.uint8]:
        """(224, 224) true labels along a plane whose origin is mid-picture: what no method of ours is given."""
        steps = (np.arange(PLANE_PIXELS) + 0.5 - PLANE_PIXELS / 2) * pixel_mm
        down, right = np.meshgrid(steps, steps, indexing="ij")
        found = shape_patient(self.seed).heart.labels(cut.points(right, down), MOMENTS[self.example.moment])
        return found.reshape(PLANE_PIXELS, PLANE_PIXELS)


@dataclass(frozen=True)
class Seen:
    """Some views of a heart, and what is to be found from them.

    Attributes:
        heart: whose.
        views: names.
        sought: what is to be found.
    """

    heart: Heart
    views: tuple[str, ...]
    sought: Target

    @property
    def planes(self) -> NDArray[np.float32]:
        """(V, 224, 224) greys in [0, 1]."""
        return planes_of(self.heart.example.greys[self._rows])

    @property
    def target(self) -> NDArray[np.bool_]:
        """(E, E, E)."""
        return self.heart.example.target if self.sought == WALLS else self.heart.ventricle

    @property
    def cuts(self) -> list[tuple[Plane, float]]:
        """Where the pictures lie, and the edges of their pixels in mm."""
        example = self.heart.example
        return [(example.cuts[row], float(example.picture_mm[row])) for row in self._rows]

    def places(self) -> Places:
        """(V, 224, 224, 3) voxels of the pictures' pixels: what rivals are told."""
        return np.stack([places(cut, self.heart.example.grid, pixel) for cut, pixel in self.cuts])

    @property
    def _rows(self) -> list[int]:
        return [self.heart.example.views.index(view) for view in self.views]


@dataclass(frozen=True)
class Split:
    """Hearts of one seed, no patient in two parts."""

    learnt: list[Heart]
    checked: list[Heart]
    asked: list[Heart]


def split(setting: Setting, seed: int, folder: Path) -> Split:
    """Hearts of a seed, kept in a folder."""
    return _split(setting.edge, (setting.learnt, setting.checked, setting.asked), seed, folder)


@lru_cache(maxsize=1)
def _split(edge: int, counts: tuple[int, int, int], seed: int, folder: Path) -> Split:
    first, parts = seed * PATIENTS_A_SEED, []
    for count in counts:
        parts.append(hearts(range(first, first + count), edge, folder))
        first += count
    return Split(*parts)


def hearts(seeds: range, edge: int, folder: Path | None = None) -> list[Heart]:
    """Every patient's heart at both ends of the beat; those that a folder holds are read."""
    walls = examples(seeds, ShapePlan(edge), folder and folder / "walls")
    pools = examples(seeds, ShapePlan(edge, ("A4C",), target=VENTRICLE), folder and folder / "left_ventricle")
    whose = [seed for seed in seeds for _ in MOMENTS]
    return [Heart(seed, one, pool.target) for seed, one, pool in zip(whose, walls, pools, strict=True)]
