"""What lies around the heart and shows in some views: chest wall, ribs, lung, liver and its veins, descending aorta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared_models.phantom.anatomy import ANTERIOR, OUTFLOW_ANGLE, SUPERIOR, UPWARD, Anatomy
from shared_models.phantom.shapes import Array, Tube, Vector, dtype_of, radial, unit

DIAPHRAGM: Vector = np.array([-0.60, -0.74, 0.30]) / np.linalg.norm([-0.60, -0.74, 0.30])  # toward the liver
LUNG: Vector = radial(np.deg2rad(20.0))  # beside the free wall
RIB_RADIUS = 5.5
PARASTERNAL = np.deg2rad(122.0)  # the angle under which the heart is seen from beside the sternum


@dataclass(frozen=True)
class Surroundings:
    """Signed distances in mm, negative inside.

    Attributes:
        diaphragm: of the liver's surface from the axis, along `DIAPHRAGM`.
        pleura: of the chest wall's inner side from the axis, along `PARASTERNAL`.
        apical: height of the chest wall's inner side over the apex.
        lung_edge: of the lung from the axis, along `LUNG`.
        ribs: beside the parasternal window, along the heart's axis.
        cava: the inferior vena cava, from the right atrium down through the liver.
        hepatic: a liver vein that joins it.
        descending: the descending aorta, behind the left atrium.
    """

    diaphragm: float
    pleura: float
    apical: float
    lung_edge: float
    ribs: tuple[Tube, Tube]
    cava: Tube
    hepatic: Tube
    descending: Tube

    def liver(self, x: Array, y: Array, z: Array) -> Array:
        """The half space below the diaphragm."""
        kind = dtype_of(x)
        nx, ny, nz = (kind(value) for value in DIAPHRAGM)
        return kind(self.diaphragm) - (x * nx + y * ny + z * nz)

    def lung(self, x: Array, y: Array, z: Array) -> Array:
        """Beside the free wall, where no liver is; the heart takes its place where it reaches further."""
        kind = dtype_of(x)
        nx, ny = kind(LUNG[0]), kind(LUNG[1])
        return np.maximum(kind(self.lung_edge) - (x * nx + y * ny), -self.liver(x, y, z))

    def chest(self, x: Array, y: Array, z: Array) -> Array:
        """What lies outside the ribs, in front of the heart and over its apex."""
        kind = dtype_of(x)
        nx, ny = kind(np.cos(PARASTERNAL)), kind(np.sin(PARASTERNAL))
        return np.minimum(kind(self.pleura) - (x * nx + y * ny), kind(self.apical) - z)


def surround(anatomy: Anatomy) -> Surroundings:
    """What lies around this heart."""
    p = anatomy.parameters
    atrium = anatomy.right_atrium.centre
    mouth = atrium - SUPERIOR * 0.75 * p.ra_radius
    below = [mouth - SUPERIOR * depth for depth in (0.0, 30.0, 110.0)]
    cava = Tube(np.array(below), np.array([0.62, 0.5, 0.5]) * p.ivc)
    vein = np.array([mouth - SUPERIOR * 22.0, mouth - SUPERIOR * 50.0 + ANTERIOR * 38.0])
    behind = anatomy.left_atrium.centre - radial(OUTFLOW_ANGLE) * (p.la_radius + 15.0) + UPWARD * 12.0
    course = unit(np.cross(UPWARD, radial(OUTFLOW_ANGLE)) + 0.9 * SUPERIOR)  # oblique to the long axis, assumed
    descending = Tube(np.array([behind - course * 90.0, behind + course * 90.0]), np.array([10.5, 11.0]))
    return Surroundings(
        diaphragm=_diaphragm(anatomy),
        pleura=_pleura(anatomy),
        lung_edge=p.lung_edge,
        ribs=_ribs(anatomy),
        apical=anatomy.epicardial_apex + 3.0,
        cava=cava,
        hepatic=Tube(vein, np.array([0.42, 0.2]) * p.ivc),
        descending=descending,
    )


def _pleura(anatomy: Anatomy) -> float:
    """Where the chest wall begins, which the heart does not reach."""
    reach = float((_outside(anatomy) @ radial(PARASTERNAL)).max())
    return max(front_of_heart(anatomy) + 0.35 * anatomy.parameters.chest_wall, reach + 1.0)


def _ribs(anatomy: Anatomy) -> tuple[Tube, Tube]:
    """In the middle of the chest wall, one on each side of the window."""
    p = anatomy.parameters
    window = radial(PARASTERNAL) * max(front_of_heart(anatomy) + 0.55 * p.chest_wall, _pleura(anatomy) + RIB_RADIUS / 2)
    aside, ends = radial(PARASTERNAL - np.pi / 2) * (p.rib_gap + RIB_RADIUS / 2), UPWARD * 150.0
    thick = np.full(2, RIB_RADIUS)
    first, second = (np.array([window + side * aside - ends, window + side * aside + ends]) for side in (-1, 1))
    return Tube(first, thick), Tube(second, thick)


def front_of_heart(anatomy: Anatomy) -> float:
    """How far the heart reaches from the axis toward the parasternal window, mm."""
    return float(anatomy.layers(np.array([PARASTERNAL]), np.array([20.0])).rv_epicardium[0])


def _diaphragm(anatomy: Anatomy) -> float:
    """As close as the heart's lower surface allows."""
    atrium = anatomy.right_atrium
    below = (_outside(anatomy) @ DIAPHRAGM).max()
    return float(max(below, atrium.centre @ DIAPHRAGM + 0.9 * atrium.radii.max()) + 4.0)


def _outside(anatomy: Anatomy) -> Vector:
    """(M, 3) points of the ventricles' outer surface."""
    angles = np.deg2rad(np.arange(0.0, 360.0, 5.0))
    heights = np.linspace(0.0, anatomy.epicardial_apex, 24)
    angle, height = (grid.ravel() for grid in np.meshgrid(angles, heights))
    outer = anatomy.layers(angle, height).rv_epicardium
    return np.stack([outer * np.cos(angle), outer * np.sin(angle), height], axis=1)
