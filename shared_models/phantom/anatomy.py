"""The heart at end-diastole as signed distance functions, in mm: negative inside, positive outside.

Both ventricles are layers around the left ventricle's axis: the endocardium, the epicardium, the right ventricle's
endocardium and its epicardium are radii over angle and height, each at least as large as the one before, so they
cannot cross. Atria, vessels, muscles and leaflets are ellipsoids, tubes and sheets, carved where two would overlap.
Distances to spheres, tubes and sheets are exact, those to the left ventricle and to ellipsoids are exact to first
order (f divided by the length of its gradient): the zero set is right, the error grows with the square of the
distance. At the right ventricle's layers the zero set is right too, but one mean slope divides f: distances are off
by up to two fifths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared_models.phantom.population import Parameters
from shared_models.phantom.shapes import Array, Ellipsoid, Scalar, Tube, Valve, Vector, dtype_of, radial

WIDEST = 0.27  # height of the left ventricle's greatest width, as a fraction of its length
RV_CENTRE, RV_HALF_ANGLE = np.deg2rad(167.0), np.deg2rad(74.0)  # from the anterior to the inferior insertion
OUTFLOW_ANGLE = np.deg2rad(125.0)
AORTIC_TILT = np.deg2rad(22.0)  # of the root against the left ventricle's axis
TRICUSPID_HEIGHT = 3.0  # the tricuspid ring lies closer to the apex than the mitral one
BASE_FADE = 12.0  # above the base the layers go on unchanged for so many mm, which the motion needs
VESSEL_WALL, ATRIAL_WALL = 2.0, 2.5

UPWARD: Vector = np.array([0.0, 0.0, 1.0])  # along the left ventricle's axis, to the apex
ANTERIOR: Vector = np.array([-0.775, 0.375, 0.5])  # the body's directions, of a heart that lies as most do
SUPERIOR: Vector = np.array([0.0, 0.8, -0.6])


@dataclass(frozen=True)
class Layers:
    """Radii about the axis, (N,) mm, from the inside out."""

    endocardium: Array
    epicardium: Array
    rv_endocardium: Array
    rv_epicardium: Array


class Anatomy:
    """All structures of one heart and of what surrounds it, placed by the heart's parameters."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = p = parameters
        self.widest = WIDEST * p.lv_length
        self.half_length = p.lv_length - self.widest
        self.epicardial_apex = p.lv_length + p.apical_wall
        out = radial(OUTFLOW_ANGLE)
        base = p.lv_radius * np.sqrt(1 - (self.widest / self.half_length) ** 2)
        self.outflow_centre = out * max(base - p.annulus / 2 + 1.0, 0.45 * base)
        self.mitral_centre = -out * max(base - p.mitral - 1.5, 0.2 * base)
        self.aortic_axis = np.cos(AORTIC_TILT) * np.array([0.0, 0.0, -1.0]) + np.sin(AORTIC_TILT) * out
        self.aorta = self._aorta()
        self.left_atrium = self._left_atrium()
        self.right_atrium = self._right_atrium()
        self.rv_outflow, self.pulmonary = self._rv_outflow()
        self.papillary = self._papillary()
        self.mitral = Valve(
            self.mitral_centre,
            UPWARD,
            0.85 * p.mitral,
            1.15 * p.mitral,
            0,
            1.3,
            np.deg2rad(74),
            slit=0.4 * p.mitral,
            slit_along=tuple(radial(OUTFLOW_ANGLE + np.pi / 2)),
        )
        self.tricuspid = Valve(self.tricuspid_centre, UPWARD, p.tricuspid, 1.15 * p.tricuspid, 0, 1.4, np.deg2rad(72))
        self.aortic = Valve(
            self.outflow_centre + 3.0 * self.aortic_axis,
            self.aortic_axis,
            p.annulus / 2,
            1.08 * p.annulus / 2,
            3,
            1.1,
            np.deg2rad(84),
        )

    @property
    def tricuspid_centre(self) -> Vector:
        """Of the tricuspid ring."""
        p = self.parameters
        outside = p.lv_radius + p.septal_wall
        return np.array([0.0, 0.0, TRICUSPID_HEIGHT]) + radial(np.deg2rad(196.0)) * (outside + 0.52 * p.rv_width)

    def layers(self, angle: Array, z: Array) -> Layers:
        """The layers' radii at angles (radians) and heights, (N,) each."""
        p, kind = self.parameters, dtype_of(angle)
        z = np.maximum(z, kind(-BASE_FADE))
        widest, up = self._widest_radius(angle), z - kind(self.widest)
        outer = np.sqrt(np.maximum(1 - (up / kind(self.half_length + p.apical_wall)) ** 2, 0))
        endocardium = self.endocardium(angle, z)
        epicardium = np.maximum((widest + self._wall(angle)) * outer, endocardium)
        reach = self._rv_reach(angle, z)
        rv_endocardium = epicardium + reach
        return Layers(
            endocardium, epicardium, rv_endocardium, rv_endocardium + kind(p.rv_wall) * (1 - np.exp(-reach / 3))
        )

    def endocardium(self, angle: Array, z: Array) -> Array:
        """The innermost layer's radius alone."""
        kind = dtype_of(angle)
        up = np.maximum(z, kind(-BASE_FADE)) - kind(self.widest)
        return self._widest_radius(angle) * np.sqrt(np.maximum(1 - (up / kind(self.half_length)) ** 2, 0))

    def endocardial_distance(self, radius: Array, angle: Array, z: Array) -> Array:
        """Signed distance to the left ventricle's endocardium, also past the apex; first order."""
        widest, kind = self._widest_radius(angle), dtype_of(radius)
        return _ellipse_distance(radius, z - kind(self.widest), widest, kind(self.half_length))

    def epicardial_distance(self, radius: Array, angle: Array, z: Array) -> Array:
        """The same for its epicardium, on the right side the right face of the septum."""
        p, kind = self.parameters, dtype_of(radius)
        widest = self._widest_radius(angle) + self._wall(angle)
        return _ellipse_distance(radius, z - kind(self.widest), widest, kind(self.half_length + p.apical_wall))

    def outer_distances(self, radius: Array, epicardial: Array, layers: Layers) -> tuple[Array, Array]:
        """Signed distances to the right ventricle's endocardium and to the whole heart's epicardium; roughly.

        Where the right ventricle has ended both are the left ventricle's `epicardial` distance.
        """
        p, kind = self.parameters, dtype_of(radius)
        slope = kind(1 / np.hypot(1.0, 1.2 * p.rv_width / p.rv_length))
        reach = layers.rv_endocardium - layers.epicardium
        share = np.clip(reach / 4, 0, 1)
        inner = slope * (radius - layers.rv_endocardium)
        outer = slope * (radius - layers.rv_epicardium)
        near = np.where(reach > 0, inner, epicardial)
        return near, np.where(reach > 0, share * outer + (1 - share) * _same_sign(epicardial, outer), epicardial)

    def _widest_radius(self, angle: Array) -> Array:
        """Of the left ventricle's cavity where it is widest: a circle with two and three lobes."""
        p, kind = self.parameters, dtype_of(angle)
        turn = kind(np.deg2rad(p.lv_turn))
        lobes = kind(p.lv_oval) * np.cos(2 * angle - turn) + kind(p.lv_lobes) * np.cos(3 * angle + turn)
        return kind(p.lv_radius) * (1 + lobes)

    def _wall(self, angle: Array) -> Array:
        """Thickness of the left ventricle's wall where it is widest: the septum may differ."""
        p, kind = self.parameters, dtype_of(angle)
        septal = (0.5 - 0.5 * np.cos(angle)) ** 2
        return kind(p.lateral_wall) + kind(p.septal_wall - p.lateral_wall) * septal

    def _rv_reach(self, angle: Array, z: Array) -> Array:
        """Depth of the right ventricle's cavity, from the septum outwards."""
        p, kind = self.parameters, dtype_of(angle)
        away = angle - kind(RV_CENTRE)
        turned = away - kind(2 * np.pi) * np.rint(away * kind(0.5 / np.pi))  # a modulo takes fifty times longer
        across = np.maximum(1 - np.abs(turned / kind(RV_HALF_ANGLE)) ** kind(2.6), 0)
        height = np.clip(z / kind(p.rv_length), 0, 1)
        return kind(p.rv_width) * across * (1 - height ** kind(1.7))

    def envelope(self, angle: Array) -> Array:
        """Radius that no layer exceeds at this angle, whatever the height."""
        p, kind = self.parameters, dtype_of(angle)
        wall = max(p.lateral_wall, p.septal_wall)
        return kind((p.lv_radius * (1 + p.lv_oval + p.lv_lobes) + wall) + p.rv_wall) + self._rv_reach(
            angle, np.zeros_like(angle)
        )

    def _aorta(self) -> Tube:
        p, start, along = self.parameters, self.outflow_centre, self.aortic_axis
        stations = np.array([-4.0, 3.0, 0.42 * p.sinus + 3.0, 0.85 * p.sinus, 0.85 * p.sinus + 35.0])
        diameters = np.array([p.annulus, p.annulus, p.sinus, 0.87 * p.sinus, p.ascending])
        return Tube(start + stations[:, None] * along, diameters / 2)

    def _left_atrium(self) -> Ellipsoid:
        """Its ellipsoid meets the base in a circle about as wide as the mitral ring."""
        p = self.parameters
        half = p.la_length / 2 + 2.0
        deep = half * (1 - np.sqrt(max(1 - (p.mitral / p.la_radius) ** 2, 0.3)))
        centre = self.mitral_centre - radial(OUTFLOW_ANGLE) * 3.0 - np.array([0.0, 0.0, half - deep])
        return Ellipsoid(centre, np.array([0.88 * p.la_radius, 1.2 * p.la_radius, half]), float(OUTFLOW_ANGLE))

    def _right_atrium(self) -> Ellipsoid:
        p, ring = self.parameters, self.tricuspid_centre
        half = p.ra_length / 2 + 2.0
        deep = half * (1 - np.sqrt(max(1 - (p.tricuspid / p.ra_radius) ** 2, 0.3)))
        centre = np.array([ring[0] + 3.0, ring[1] - 2.0, TRICUSPID_HEIGHT - half + deep])
        return Ellipsoid(centre, np.array([1.15 * p.ra_radius, 1.05 * p.ra_radius, half]))

    def _rv_outflow(self) -> tuple[Tube, Tube]:
        """From the right ventricle's anterior base across the aortic root to the pulmonary valve, and the artery on."""
        p = self.parameters
        aorta = float(np.linalg.norm(self.outflow_centre)) + p.sinus / 2
        across = p.lv_radius + p.septal_wall + 9.0
        beyond = max(aorta + 18.0, across)
        cylinder = (
            (138.0, across + 3.0, 24.0),
            (120.0, beyond, -6.0),
            (88.0, beyond, -20.0),
            (68.0, 0.92 * beyond, -30.0),
        )
        points = np.array([radial(np.deg2rad(angle)) * off + z * UPWARD for angle, off, z in cylinder])
        radii, valve = np.array([14.5, 14.0, 13.0, 11.5]), 2
        return Tube(points[: valve + 1], radii[: valve + 1]), Tube(points[valve:], radii[valve:])

    def _papillary(self) -> tuple[Tube, Tube]:
        p = self.parameters
        low, high = 0.66 * p.lv_length, 0.36 * p.lv_length

        def muscle(angle: float) -> Tube:
            foot = radial(angle) * 0.80 * p.lv_radius * np.sqrt(1 - ((low - self.widest) / self.half_length) ** 2)
            tip = radial(angle) * 0.62 * p.lv_radius
            ends = np.array([foot + low * UPWARD, tip + high * UPWARD])
            return Tube(ends, np.array([0.24, 0.15]) * p.lv_radius)

        return muscle(np.deg2rad(48.0)), muscle(np.deg2rad(236.0))

    def endocardial_volume(self) -> float:
        """Of the left ventricle at end-diastole in ml, in closed form: a half ellipsoid cut off at the base."""
        p, c, below = self.parameters, self.half_length, self.widest
        squares = 1 + (p.lv_oval**2 + p.lv_lobes**2) / 2  # mean over the angle of the radius squared
        return float(np.pi * p.lv_radius**2 * squares * (2 * c / 3 + below - below**3 / (3 * c**2)) / 1000.0)


def _ellipse_distance(radius: Array, up: Array, widest: Array, half_length: Scalar) -> Array:
    """Signed distance to an ellipse of revolution whose equator `widest` may vary, first order."""
    level = np.sqrt((radius / widest) ** 2 + (up / half_length) ** 2)
    slope = np.sqrt((radius / widest**2) ** 2 + (up / half_length**2) ** 2)
    return level * (level - 1) / np.maximum(slope, dtype_of(radius)(1e-6))


def _same_sign(first: Array, second: Array) -> Array:
    """`first` where it agrees with `second` about the side, else `second`."""
    return np.where((first < 0) == (second < 0), first, second)
