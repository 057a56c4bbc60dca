"""What reconstruction learns from: hearts of the phantom as pictures of named views, with the volume that they show.

A target is normalised as in Efficient Pix2Vox++ (Stojanovski et al., ASMUS 2022): a cube about the heart, `edge` voxels
a side, its axes the left ventricle's. Pictures of walls are 1.15 times as wide as that cube, so that the edge of their
pixels tells the heart's size. Nobody's seed is another's: who splits by seed splits by patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom import labels as label
from shared_models.phantom.heart import Heart
from shared_models.phantom.machines import machine_named
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.patients import Patient, draw_patient
from shared_models.phantom.planes import Plane
from shared_models.phantom.volumes import (
    NINE_PLANES,
    Grid,
    bounding_grid,
    nine_cuts,
    picture_mm,
    volume_on,
    wall_occupancy,
    wall_pictures,
)
from shared_models.reconstruction.named_views import in_order, planes_of
from shared_models.reconstruction.plane_places import Places, places
from shared_models.reconstruction.view_scans import scan

Pictures = Literal["walls", "ultrasound"]
Target = Literal["walls", "blood pools", "left ventricle"]

EDGES = (32, 64, 128)
MOMENTS: Mapping[str, float] = {"ED": 0.0, "ES": END_SYSTOLE}
POOLS = (label.LV, label.LA, label.RV, label.RA)
WALL_GREYS = np.array([0, 255, 204, 153, 102], np.uint8)  # of what `WALL_NAMES` counts
POPULATION_SHARES: Mapping[str, float] = {"healthy": 0.5, "dilated": 0.3, "hypertrophic": 0.2}  # assumed
POSE, SPECKLE, POPULATION = 11, 12, 13  # what of a patient is drawn


@dataclass(frozen=True)
class Example:
    """Pictures of one heart at one moment, and the volume to be found from them.

    Attributes:
        patient: key of whose heart it is.
        moment: ``ED`` or ``ES``.
        views: names of the V views, in the order of the pictures.
        greys: (V, 224, 224), the pictures.
        target: (E, E, E) whether what is to be found is there.
        grid: where the target's voxels lie.
        cuts: where the V pictures lie, in the same space; their origins are mid-picture.
        picture_mm: (V,) edges of the pictures' pixels.
        lv_volume_ml: of the left ventricle's blood pool.
    """

    patient: str
    moment: str
    views: tuple[str, ...]
    greys: NDArray[np.uint8]
    target: NDArray[np.bool_]
    grid: Grid
    cuts: tuple[Plane, ...]
    picture_mm: NDArray[np.float32]
    lv_volume_ml: float

    @property
    def planes(self) -> NDArray[np.float32]:
        """(V, 224, 224) greys in [0, 1], as networks see them."""
        return planes_of(self.greys)

    @property
    def spacing_mm(self) -> float:
        """Edge of a voxel."""
        return self.grid.spacing_mm

    def places(self) -> Places:
        """(V, 224, 224, 3) voxels, not rounded, of the pictures' pixels."""
        pairs = zip(self.cuts, self.picture_mm, strict=True)
        return np.stack([places(cut, self.grid, float(pixel)) for cut, pixel in pairs])


@dataclass(frozen=True)
class ShapePlan:
    """Which examples are made of a heart.

    Attributes:
        edge: voxels a side of the target, one of `EDGES`.
        views: names out of `NINE_PLANES`, in the order of the network's channels.
        pictures: ``walls`` grey by chamber, or ``ultrasound`` as `machine` shows them.
        target: walls of the whole heart, the four blood pools, or the left ventricle's alone.
        machine: that scans, where the pictures are ultrasound.
        jitter: whether all planes are off by a rigid pose and each by an operator's hand, as seeded by the patient.

    Raises:
        ValueError: an edge, view, kind or machine that there is none of, a view twice, or no view.
    """

    edge: int = 64
    views: tuple[str, ...] = NINE_PLANES
    pictures: Pictures = "walls"
    target: Target = "walls"
    machine: str = "albatross"
    jitter: bool = True

    def __post_init__(self) -> None:
        if self.edge not in EDGES:
            raise ValueError(f"a target of {self.edge} voxels a side is none; known are {', '.join(map(str, EDGES))}")
        in_order(self.views)
        for value, known in ((self.pictures, ("walls", "ultrasound")), (self.target, TARGETS)):
            if value not in known:
                raise ValueError(f"there is no '{value}' to reconstruct with; known are {', '.join(known)}")
        machine_named(self.machine)


TARGETS: tuple[Target, ...] = ("walls", "blood pools", "left ventricle")


def shape_patient(seed: int) -> Patient:
    """The patient of a seed, drawn from the populations by their shares."""
    generator = np.random.default_rng([seed, POPULATION])
    return draw_patient(seed, str(generator.choice(list(POPULATION_SHARES), p=list(POPULATION_SHARES.values()))))


def shape_example(patient: Patient, moment: str, plan: ShapePlan) -> Example:
    """One heart at one moment.

    Raises:
        ValueError: there is no such moment.
    """
    if moment not in MOMENTS:
        raise ValueError(f"there is no moment '{moment}'; known are {', '.join(MOMENTS)}")
    heart, phase = patient.heart, MOMENTS[moment]
    grid = bounding_grid(heart, plan.edge)
    jitter = np.random.default_rng([patient.seed, POSE]) if plan.jitter else None
    cuts = dict(zip(NINE_PLANES, nine_cuts(heart, phase, jitter), strict=True))
    greys, shown, edges = _pictures(patient, phase, plan, [cuts[view] for view in plan.views])
    return Example(
        patient=patient.key,
        moment=moment,
        views=plan.views,
        greys=greys,
        target=occupied(heart, phase, grid, plan.target),
        grid=grid,
        cuts=tuple(shown),
        picture_mm=np.asarray(edges, np.float32),
        lv_volume_ml=heart.motion.lv_volume(phase),
    )


def occupied(heart: Heart, phase: float, grid: Grid, target: Target) -> NDArray[np.bool_]:
    """(E, E, E) where that which is to be found lies: voxels that a wall crosses, or whose centres are in blood."""
    if target == "walls":
        return wall_occupancy(heart, phase, grid)
    return np.isin(volume_on(heart, phase, grid).labels, POOLS if target == "blood pools" else label.LV)


def _pictures(
    patient: Patient, phase: float, plan: ShapePlan, cuts: Sequence[Plane]
) -> tuple[NDArray[np.uint8], Sequence[Plane], list[float]]:
    heart = patient.heart
    if plan.pictures == "walls":
        return WALL_GREYS[wall_pictures(heart, cuts, phase)], cuts, [picture_mm(heart)] * len(cuts)
    seeds = np.random.default_rng([patient.seed, SPECKLE]).integers(2**31, size=len(NINE_PLANES))
    seed_of = dict(zip(NINE_PLANES, seeds.tolist(), strict=True))
    found = [
        scan(heart, view, cut, plan.machine, phase, seed_of[view]) for view, cut in zip(plan.views, cuts, strict=True)
    ]
    return np.stack([one.image for one in found]), [one.cut for one in found], [one.spacing_mm for one in found]
