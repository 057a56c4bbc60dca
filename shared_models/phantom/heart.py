"""A beating heart at points in space: which structure lies there, and how it echoes.

Acoustic amplitudes are relative to the myocardium's backscatter; they are set so that the grey levels of the parts keep the
order they have in echocardiograms (pericardium, fibrous tissue and endocardium bright, myocardium middle, blood dark).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom import labels as label
from shared_models.phantom.anatomy import (
    ATRIAL_WALL,
    FAR,
    TRICUSPID_HEIGHT,
    VESSEL_WALL,
    Anatomy,
    Array,
    Layers,
    dtype_of,
    unit,
)
from shared_models.phantom.motion import Located, Motion, aortic_opening, mitral_opening
from shared_models.phantom.population import Parameters
from shared_models.phantom.scene import Points, Tissue
from shared_models.phantom.surroundings import surround

BLOOD, CAVITY_CONTRAST = 0.012, 2.2  # backscatter against myocardium
MYOCARDIUM, MYOCARDIUM_CONTRAST = 1.0, 0.16
VALVE, WALL, FAT, LIVER, PERICARDIUM = 3.2, 1.7, 1.3, 1.05, 4.0
INTERFACE_WIDTH = 0.9  # mm, of the specular echo about a boundary
ABSORPTION_BLOOD, ABSORPTION_TISSUE, ABSORPTION_LIVER, ABSORPTION_CONTRAST = 0.10, 0.42, 0.40, 0.55  # dB/cm/MHz


@dataclass(frozen=True)
class Surface:
    """A boundary that reflects: its distance at all points, its strength, and its normals at some of them."""

    distance: Array
    strength: float
    normal: Callable[[NDArray[np.intp]], Array]


@dataclass(frozen=True)
class Distances:
    """Signed distances in mm to cavities and walls at N located points."""

    endocardium: Array
    epicardium: Array
    rv_endocardium: Array
    rv_epicardium: Array
    rv_outflow: Array
    left_atrium: Array
    right_atrium: Array
    aorta: Array


class Heart:
    """Anatomy and motion of one heart; a `Scene`."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.anatomy = Anatomy(parameters)
        self.motion = Motion(self.anatomy)
        self.surroundings = surround(self.anatomy)

    def labels(self, points: Points, phase: float) -> NDArray[np.uint8]:
        """(N,) label values at (N, 3) points."""
        return self.labelled(self.motion.locate(points, phase))[1]

    def labelled(self, found: Located) -> tuple[Distances, NDArray[np.uint8]]:
        """Signed distances to the walls, measured where the tissue is at end-diastole, and label values."""
        here = self._distances(found)
        return here, self._labels(found, here)

    def tissue(self, points: Points, phase: float, *, contrast: bool = False) -> Tissue:
        """What echoes at (N, 3) points."""
        found = self.motion.locate(points, phase)
        here, marks = self.labelled(found)
        scatter = np.full(len(points), FAT, np.float32)
        absorption = np.full(len(points), ABSORPTION_TISSUE, np.float32)
        self._paint(found, here, marks, scatter, absorption, contrast=contrast)
        self._paint_valves(found, marks, scatter, phase)
        interface, normal = _strongest(list(self._surfaces(found, here)), len(points))
        self._lay_fibres(found, here, marks, normal)
        material = np.stack([found.x, found.y, found.z], axis=1).astype(np.float32)
        blood = scatter < (0.5 if not contrast else 0.05)
        return Tissue(scatter, interface, normal, absorption, material, blood & (marks != label.MYOCARDIUM))

    def _distances(self, found: Located) -> Distances:
        a, layers = self.anatomy, found.layers
        x, y, z = found.x, found.y, found.z
        epicardium = a.epicardial_distance(found.radius, found.angle, z)
        rv_endocardium, rv_epicardium = a.outer_distances(found.radius, epicardium, layers)
        aorta = a.aorta.distance(x, y, z)
        left = np.maximum(a.left_atrium.distance(x, y, z), VESSEL_WALL - aorta)
        left = np.maximum(left, z)
        right = np.maximum(a.right_atrium.distance(x, y, z), VESSEL_WALL - aorta)
        right = np.maximum(np.maximum(right, ATRIAL_WALL - left), z - dtype_of(z)(TRICUSPID_HEIGHT))
        return Distances(
            endocardium=a.endocardial_distance(found.radius, found.angle, z),
            epicardium=epicardium,
            rv_endocardium=rv_endocardium,
            rv_epicardium=rv_epicardium,
            rv_outflow=np.maximum(a.rv_outflow.distance(x, y, z), VESSEL_WALL - aorta),
            left_atrium=left,
            right_atrium=right,
            aorta=aorta,
        )

    def _labels(self, found: Located, here: Distances) -> NDArray[np.uint8]:
        """Every point gets one label: the first of these that claims it."""
        marks = np.full(len(found.z), label.BACKGROUND, np.uint8)
        above = found.z >= 0
        marks[here.rv_outflow < 0] = label.RV
        marks[(here.right_atrium < 0)] = label.RA
        marks[(here.left_atrium < 0)] = label.LA
        marks[(here.rv_endocardium < 0) & (here.epicardium >= 0) & (found.z >= TRICUSPID_HEIGHT)] = label.RV
        marks[(here.aorta < 0) & ~above] = label.AORTA
        marks[above & (here.epicardium < 0)] = label.MYOCARDIUM
        marks[above & (here.endocardium < 0)] = label.LV
        return marks

    def _paint(
        self,
        found: Located,
        here: Distances,
        marks: NDArray[np.uint8],
        scatter: Array,
        absorption: Array,
        *,
        contrast: bool,
    ) -> None:
        """Backscatter and absorption of the parts, in place."""
        x, y, z, around = found.x, found.y, found.z, self.surroundings
        liver = around.liver(x, y, z)
        below = liver < 0
        scatter[below], absorption[below] = LIVER, ABSORPTION_LIVER
        for vessel in (around.cava, around.hepatic):
            vein = vessel.distance(x, y, z)
            scatter[(vein < 1.0) & (marks == label.BACKGROUND)] = WALL
            _fill(scatter, absorption, (vein < 0) & (marks == label.BACKGROUND), BLOOD)
        far = around.descending.distance(x, y, z)
        scatter[np.abs(far) < 1.0] = WALL
        _fill(scatter, absorption, (far < 0) & (marks == label.BACKGROUND), BLOOD)
        walls = np.minimum(np.minimum(here.left_atrium, here.right_atrium), np.minimum(here.aorta, here.rv_outflow))
        wall = (walls < ATRIAL_WALL) & (marks == label.BACKGROUND)
        scatter[wall] = WALL
        scatter[(here.rv_epicardium < 0) & (here.rv_endocardium >= 0) & (z >= 0)] = MYOCARDIUM
        chambers = (marks >= label.LA) | (marks == label.LV)
        _fill(scatter, absorption, chambers, BLOOD)
        muscle = marks == label.MYOCARDIUM
        scatter[muscle] = MYOCARDIUM_CONTRAST if contrast else MYOCARDIUM
        for papillary in self.anatomy.papillary:
            scatter[(papillary.distance(x, y, z) < 0) & (marks == label.LV)] = MYOCARDIUM
        if contrast:
            agent = marks == label.LV
            scatter[agent] = CAVITY_CONTRAST
            absorption[agent] = ABSORPTION_CONTRAST
            scatter[np.isin(marks, (label.LA, label.RV, label.RA))] = 0.6 * CAVITY_CONTRAST
        sac = (here.rv_epicardium > 0) & (here.rv_epicardium < 1.6) & (z > 0)
        scatter[sac] = 0.4 * PERICARDIUM if contrast else PERICARDIUM

    def _paint_valves(self, found: Located, marks: NDArray[np.uint8], scatter: Array, phase: float) -> None:
        """Leaflets, which move by themselves."""
        a, flowing = self.anatomy, mitral_opening(phase)
        inside = np.flatnonzero(marks != label.BACKGROUND)
        for valve, opening in ((a.mitral, flowing), (a.tricuspid, flowing), (a.aortic, aortic_opening(phase))):
            near = inside[_near(found, inside, valve.centre, 1.3 * valve.length + 4)]
            x, y, z = found.x[near], found.y[near], found.z[near]
            sheet = valve.distance(x, y, z, opening)
            if valve.cusps and opening < 0.5:
                sheet = np.minimum(sheet, valve.clefts(x, y, z))
            scatter[near[(sheet < 0)]] = VALVE

    def _lay_fibres(self, found: Located, here: Distances, marks: NDArray[np.uint8], normal: Array) -> None:
        """The wall's direction throughout the muscle, in place: what runs along the beam echoes less."""
        muscle = (marks == label.MYOCARDIUM) | ((here.rv_epicardium < 0) & (here.rv_endocardium >= 0) & (found.z >= 0))
        rows = np.flatnonzero(muscle & (np.abs(normal).sum(axis=1) == 0))
        normal[rows] = self._layer_normal(lambda one: one.epicardium, found.angle[rows], found.z[rows])

    def _surfaces(self, found: Located, here: Distances) -> Iterator[Surface]:
        """Boundaries that reflect."""
        a, z = self.anatomy, found.z
        x, y = found.x, found.y
        below = z < 0
        none = np.float32(FAR)

        def layer(pick: Callable[[Layers], Array]) -> Callable[[NDArray[np.intp]], Array]:
            return lambda rows: self._layer_normal(pick, found.angle[rows], z[rows])

        yield Surface(np.where(below, none, here.endocardium), 1.0, layer(lambda one: one.endocardium))
        yield Surface(np.where(below, none, here.epicardium), 0.7, layer(lambda one: one.epicardium))
        yield Surface(np.where(below, none, here.rv_epicardium - 0.8), 2.6, layer(lambda one: one.rv_epicardium))
        yield Surface(
            np.where(below | (here.epicardium < 3), none, here.rv_endocardium),
            0.9,
            layer(lambda one: one.rv_endocardium),
        )
        for distance, body, strength in (
            (here.left_atrium, a.left_atrium, 1.2),
            (here.right_atrium, a.right_atrium, 1.1),
            (here.aorta, a.aorta, 1.5),
        ):
            yield Surface(
                np.where(below, distance, none),
                strength,
                lambda rows, body=body: body.normal(x[rows], y[rows], z[rows]).astype(np.float32),
            )

    def _layer_normal(self, pick: Callable[[Layers], Array], angle: Array, z: Array) -> Array:
        """(N, 3) normals of a layer's surface by its slopes over angle and height."""
        turn, rise = np.float32(0.02), np.float32(0.5)
        radius = pick(self.anatomy.layers(angle, z))
        over_angle = (pick(self.anatomy.layers(angle + turn, z)) - radius) / turn
        over_height = (pick(self.anatomy.layers(angle, z + rise)) - radius) / rise
        cosine, sine = np.cos(angle), np.sin(angle)
        across = over_angle / np.maximum(radius, 1.0)
        normal = np.stack([cosine + across * sine, sine - across * cosine, -over_height], axis=1)
        return unit(normal).astype(np.float32)


def _fill(scatter: Array, absorption: Array, where: NDArray[np.bool_], value: float) -> None:
    scatter[where], absorption[where] = value, ABSORPTION_BLOOD


def _near(found: Located, rows: NDArray[np.intp], centre: Array, reach: float) -> NDArray[np.bool_]:
    dx, dy, dz = (value[rows] - np.float32(c) for value, c in zip((found.x, found.y, found.z), centre, strict=True))
    return dx * dx + dy * dy + dz * dz < reach * reach


def _strongest(surfaces: list[Surface], count: int) -> tuple[Array, Array]:
    """At every point the boundary whose echo is strongest there: its amplitude and its normal."""
    amplitude, normal = np.zeros(count, np.float32), np.zeros((count, 3), np.float32)
    for surface in surfaces:
        rows = np.flatnonzero(np.abs(surface.distance) < 2.5 * INTERFACE_WIDTH)
        echo = surface.strength * np.exp(-((surface.distance[rows] / INTERFACE_WIDTH) ** 2))
        better = echo > amplitude[rows]
        rows = rows[better]
        amplitude[rows] = echo[better]
        normal[rows] = surface.normal(rows)
    return amplitude, normal
