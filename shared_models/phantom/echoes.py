"""How a heart and its surroundings echo.

Amplitudes are relative to the myocardium's backscatter. They are assumed, and set by eye so that the grey levels
keep the order they have in echocardiograms: pericardium, valves and the fibrous base bright, myocardium in the
middle, lung a fading haze, blood dark. None of it enters a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom import labels as label
from shared_models.phantom.anatomy import ATRIAL_WALL, Anatomy, Layers
from shared_models.phantom.motion import Located, aortic_opening, mitral_opening
from shared_models.phantom.scene import Tissue
from shared_models.phantom.shapes import FAR, Array, Ellipsoid, Tube, Vector, unit
from shared_models.phantom.structures import Distances, in_rv_wall
from shared_models.phantom.surroundings import Surroundings

BLOOD, AGENT, AGENT_ELSEWHERE = 0.012, 2.2, 1.3
MYOCARDIUM, MYOCARDIUM_BESIDE_AGENT = 1.0, 0.16
VALVE, RING, WALL, LIVER, PERICARDIUM, CHEST, LUNG = 2.3, 3.0, 1.5, 0.95, 5.0, 0.7, 0.16
FASCIAE = ((3.0, 1.6), (9.0, 1.1))  # depth in the chest wall in mm, and how much brighter
BESIDE_AGENT = 0.35  # of everything around a heart full of contrast agent, as the gain is turned down
NEAR_FAT, FAT_REACH = 1.2, 9.0  # about the heart, falling to the lung's haze within mm
BONE, ABSORB_BONE, ABSORB_AIR = 3.0, 20.0, 5.0  # what shadows
PLEURA = 3.0  # mm of tissue between the heart and the lung
TRABECULAE = 2.4  # mm to which the muscle's inner side is uneven
PERICARDIAL_WIDTH = 1.5
INTERFACE_WIDTH = 0.75  # mm, of the specular echo about a boundary
ABSORB_BLOOD, ABSORB_TISSUE, ABSORB_LIVER, ABSORB_AGENT, ABSORB_LUNG = 0.22, 0.45, 0.42, 0.60, 0.9  # dB/cm/MHz


@dataclass(frozen=True)
class Surface:
    """A boundary that reflects: its distance at all points, its strength, its normals at rows asked for."""

    distance: Array
    strength: float
    normal: Callable[[NDArray[np.intp]], Array]


class Echoes:
    """Acoustic properties of one heart and its surroundings."""

    def __init__(self, anatomy: Anatomy, surroundings: Surroundings) -> None:
        self.anatomy, self.surroundings = anatomy, surroundings

    def tissue(
        self, found: Located, here: Distances, marks: NDArray[np.uint8], phase: float, *, contrast: bool
    ) -> Tissue:
        """At N located points, with their distances and labels."""
        scatter, absorption = self._outside(found, here)
        if contrast:
            scatter *= np.float32(BESIDE_AGENT)
        self._walls(found, here, marks, scatter, contrast=contrast)
        self._vessels(found, marks, scatter, absorption)
        self._cavities(found, here, marks, scatter, absorption, contrast=contrast)
        still = scatter > 0.05
        self._valves(found, marks, scatter, phase)
        interface, normal = _strongest(list(self._surfaces(found, here)), len(marks))
        muscle = (marks == label.MYOCARDIUM) | in_rv_wall(found, here)
        rows = np.flatnonzero(muscle & (interface == 0))
        normal[rows] = self._layer_normal(lambda one: one.epicardium, found.angle[rows], found.z[rows])
        material = np.stack([found.x, found.y, found.z], axis=1).astype(np.float32)
        flowing = ~still | (contrast & (marks >= label.LV) & (marks != label.MYOCARDIUM))
        return Tissue(scatter, interface, normal, absorption, material, flowing)

    def _outside(self, found: Located, here: Distances) -> tuple[Array, Array]:
        """Backscatter and absorption of everything as if there were no heart: fat, lung, chest wall, liver."""
        x, y, z = found.x, found.y, found.z
        heart = np.minimum(np.minimum(here.left_atrium, here.right_atrium), np.minimum(here.aorta, here.rv_outflow))
        heart = np.where(z >= 0, np.minimum(heart, here.rv_epicardium), heart)
        fat = np.exp(-np.maximum(heart, 0) / np.float32(FAT_REACH))
        scatter = np.float32(LUNG) + np.float32(NEAR_FAT - LUNG) * fat
        absorption = np.float32(ABSORB_LUNG) + np.float32(ABSORB_TISSUE - ABSORB_LUNG) * fat
        around = self.surroundings
        air = (around.lung(x, y, z) < 0) & (heart > PLEURA)
        absorption[air] = ABSORB_AIR
        deep = around.chest(x, y, z)
        chest = np.flatnonzero(deep < 0)
        layers = sum(height * np.exp(-(((deep[chest] + depth) / 0.8) ** 2)) for depth, height in FASCIAE)
        scatter[chest], absorption[chest] = CHEST + layers, ABSORB_TISSUE
        for rib in around.ribs:
            bone = chest[rib.distance(x[chest], y[chest], z[chest]) < 0]
            scatter[bone], absorption[bone] = BONE, ABSORB_BONE
        liver = around.liver(x, y, z) < 0
        scatter[liver], absorption[liver] = LIVER, ABSORB_LIVER
        return scatter, absorption

    def _walls(
        self, found: Located, here: Distances, marks: NDArray[np.uint8], scatter: Array, *, contrast: bool
    ) -> None:
        """Walls of the atria and vessels, muscle, pericardium and the fibrous base, in place."""
        z, free = found.z, marks == label.BACKGROUND
        walls = np.minimum(np.minimum(here.left_atrium, here.right_atrium), np.minimum(here.aorta, here.rv_outflow))
        scatter[free & (walls < ATRIAL_WALL)] = WALL
        scatter[in_rv_wall(found, here)] = MYOCARDIUM
        sac = free & (here.rv_epicardium > 0) & (here.rv_epicardium < PERICARDIAL_WIDTH) & (z > 0)
        scatter[sac] = 0.4 * PERICARDIUM if contrast else PERICARDIUM
        muscle = MYOCARDIUM_BESIDE_AGENT if contrast else MYOCARDIUM
        scatter[marks == label.MYOCARDIUM] = muscle
        base = (z > -5) & (z < 2.0) & (here.endocardium > -1.5) & (here.epicardium < 2.0)
        base &= (marks == label.BACKGROUND) | (marks == label.MYOCARDIUM)
        scatter[base] = 0.5 * RING if contrast else RING

    def _vessels(self, found: Located, marks: NDArray[np.uint8], scatter: Array, absorption: Array) -> None:
        """Veins of the liver, the descending aorta and the pulmonary artery, in place."""
        free = np.flatnonzero(marks == label.BACKGROUND)
        x, y, z = found.x[free], found.y[free], found.z[free]
        around = self.surroundings
        for vessels in ((around.descending,), (around.cava, around.hepatic), (self.anatomy.pulmonary,)):
            distance = np.min([vessel.distance(x, y, z) for vessel in vessels], axis=0)
            scatter[free[(distance >= 0) & (distance < 1.2)]] = WALL
            inside = free[distance < 0]
            scatter[inside], absorption[inside] = BLOOD, ABSORB_BLOOD

    def _cavities(
        self,
        found: Located,
        here: Distances,
        marks: NDArray[np.uint8],
        scatter: Array,
        absorption: Array,
        *,
        contrast: bool,
    ) -> None:
        """Blood or contrast agent, papillary muscles and trabeculae, in place."""
        x, y, z = found.x, found.y, found.z
        chambers = (marks >= label.LA) | (marks == label.LV)
        scatter[chambers], absorption[chambers] = BLOOD, ABSORB_BLOOD
        left = marks == label.LV
        if contrast:
            scatter[chambers & (marks != label.AORTA)] = AGENT_ELSEWHERE
            scatter[left], absorption[left] = AGENT, ABSORB_AGENT
        muscle = MYOCARDIUM_BESIDE_AGENT if contrast else MYOCARDIUM
        inner = np.where(left, here.endocardium, here.rv_endocardium)
        rim = np.flatnonzero((left | ((marks == label.RV) & (z > 0))) & (inner > -TRABECULAE))
        uneven = inner[rim] + TRABECULAE * (_ripple(x[rim], y[rim], z[rim]) - 0.35)
        scatter[rim[uneven > 0]] = 0.6 * muscle
        inside = np.flatnonzero(left)
        for papillary in self.anatomy.papillary:
            scatter[inside[papillary.distance(x[inside], y[inside], z[inside]) < 0]] = muscle

    def _valves(self, found: Located, marks: NDArray[np.uint8], scatter: Array, phase: float) -> None:
        """Leaflets, which move by themselves, in place."""
        a, flowing = self.anatomy, mitral_opening(phase)
        blood = np.flatnonzero(marks >= label.LV)
        for valve, opening in ((a.mitral, flowing), (a.tricuspid, flowing), (a.aortic, aortic_opening(phase))):
            near = blood[_near(found, blood, valve.centre, valve.reach)]
            x, y, z = found.x[near], found.y[near], found.z[near]
            sheet = valve.distance(x, y, z, opening)
            if valve.cusps and opening < 0.3:
                sheet = np.minimum(sheet, valve.clefts(x, y, z))
            scatter[near[sheet < 0]] = VALVE

    def _surfaces(self, found: Located, here: Distances) -> Iterator[Surface]:
        """Boundaries that reflect."""
        a, z = self.anatomy, found.z
        below, none = z < 0, np.float32(FAR)

        def layer(pick: Callable[[Layers], Array]) -> Callable[[NDArray[np.intp]], Array]:
            return lambda rows: self._layer_normal(pick, found.angle[rows], z[rows])

        yield Surface(np.where(below, none, here.endocardium), 1.0, layer(lambda one: one.endocardium))
        yield Surface(np.where(below, none, here.epicardium), 0.7, layer(lambda one: one.epicardium))
        yield Surface(np.where(below, none, here.rv_epicardium - 0.8), 2.4, layer(lambda one: one.rv_epicardium))
        free = np.where(below | (here.epicardium < 3), none, here.rv_endocardium)
        yield Surface(free, 0.9, layer(lambda one: one.rv_endocardium))
        for distance, body, strength in (
            (here.left_atrium, a.left_atrium, 1.2),
            (here.right_atrium, a.right_atrium, 1.1),
            (here.aorta, a.aorta, 1.5),
        ):
            yield Surface(np.where(below, distance, none), strength, partial(_body_normal, body, found))

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


def _body_normal(body: Ellipsoid | Tube, found: Located, rows: NDArray[np.intp]) -> Array:
    return body.normal(found.x[rows], found.y[rows], found.z[rows]).astype(np.float32)


def _ripple(x: Array, y: Array, z: Array) -> Array:
    """A smooth unevenness of the tissue between -1 and 1, with wavelengths of 9 to 17 mm."""
    return (np.sin(0.61 * x + 0.23 * z) + np.sin(0.53 * y - 0.37 * z) + np.sin(0.41 * z + 0.31 * x)) / np.float32(3)


def _near(found: Located, rows: NDArray[np.intp], centre: Vector, reach: float) -> NDArray[np.bool_]:
    dx, dy, dz = (value[rows] - np.float32(c) for value, c in zip((found.x, found.y, found.z), centre, strict=True))
    return dx * dx + dy * dy + dz * dz < np.float32(reach * reach)


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
