"""The standard planes: where the transducer stands, which way it looks, and how an operator's hand shakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom import labels as label
from shared_models.phantom.anatomy import ANTERIOR, OUTFLOW_ANGLE, SUPERIOR, UPWARD, Anatomy
from shared_models.phantom.heart import Heart
from shared_models.phantom.labels import LABEL_NAMES
from shared_models.phantom.shapes import Vector, radial
from shared_models.phantom.surroundings import DIAPHRAGM, PARASTERNAL, front_of_heart
from shared_models.phantom.views import view_named

APICAL_GAP = 9.0  # mm between the transducer and the apex of the epicardium
SEPTUM_CENTRED = 11.0  # mm by which four chambers are centred on the septum
ANGLES = {"A4C": np.deg2rad(14.0), "A2C": np.deg2rad(74.0), "A3C": OUTFLOW_ANGLE}  # of the image's right side
LIVER_DEPTH = 46.0  # mm of liver between the transducer and the diaphragm
LOOKS, CALMER, LOOK_MM = 8, 0.85, 4.0  # how often an operator tries, ever more carefully, and how finely he looks
SHOWN_MM2, FOREIGN_MM2 = 120.0, 180.0
SHOWN: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {  # what a view must show, and what it must not
    "A2C": ((label.LV, label.LA), (label.RV, label.RA, label.AORTA)),
    "A3C": ((label.LV, label.LA, label.AORTA), (label.RA,)),
    "A4C": ((label.LV, label.LA, label.RV, label.RA), (label.AORTA,)),
    "A5C": ((label.LV, label.RV, label.AORTA), ()),
    "PLAX": ((label.LV, label.LA, label.RV, label.AORTA), (label.RA,)),
    "PLAX-AV": ((label.LV, label.LA, label.RV, label.AORTA), ()),
    "PSAX-AV": ((label.LA, label.AORTA), (label.LV,)),
    "PSAX-MV": ((label.LV, label.MYOCARDIUM, label.RV), (label.LA, label.AORTA)),
    "PSAX-PM": ((label.LV, label.MYOCARDIUM, label.RV), (label.LA, label.AORTA)),
    "PSAX-APEX": ((label.LV, label.MYOCARDIUM), (label.LA, label.AORTA)),
    "RV-INFLOW": ((label.RV, label.RA), ()),
    "SC-4C": ((label.LV, label.LA, label.RV, label.RA), ()),
    "SC-IVC": ((label.RA,), ()),
}
TILT_DEGREES, TURN_DEGREES, SHIFT_MM = 3.5, 6.0, 3.0  # standard deviations of the operator's jitter


@dataclass(frozen=True)
class Plane:
    """An image plane: the middle of the transducer's face, and the image's axes.

    Attributes:
        origin: (3,) mm.
        right: (3,) unit vector toward the image's right.
        down: (3,) unit vector into the depth.
    """

    origin: Vector
    right: Vector
    down: Vector

    def points(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float32]:
        """(N, 3) points in space of in-plane coordinates in mm, `x` to the right and `y` into the depth."""
        flat_x, flat_y = np.ravel(x)[:, None], np.ravel(y)[:, None]
        return (self.origin + flat_x * self.right + flat_y * self.down).astype(np.float32)

    @property
    def normal(self) -> Vector:
        """Toward the viewer."""
        return np.cross(self.down, self.right)

    def turned(self, tilt: float, turn: float, swing: float) -> Plane:
        """Rotated about the transducer (radians): out of the plane, about the beam, and within the plane."""
        right, down = self.right, self.down
        down, normal = _rotated(down, self.normal, tilt)
        right, normal = _rotated(right, normal, turn)
        right, down = _rotated(right, down, swing)
        return Plane(self.origin, right, down)


def _rotated(first: Vector, second: Vector, angle: float) -> tuple[Vector, Vector]:
    return np.cos(angle) * first + np.sin(angle) * second, np.cos(angle) * second - np.sin(angle) * first


def facing(origin: Vector, target: Vector, rightward: Vector) -> Plane:
    """The plane through two points, looking from the first to the second, `rightward` roughly to the image's right."""
    down = target - origin
    down = down / np.linalg.norm(down)
    right = rightward - (rightward @ down) * down
    return Plane(origin, right / np.linalg.norm(right), down)


def standard_plane(heart: Heart, view: str, jitter: np.random.Generator | None = None) -> Plane:
    """The plane of a view, exact or as an operator holds it, who looks and tries again until the view is there.

    Raises:
        ValueError: there is no such view.
    """
    exact = _PLANES[view_named(view).name](heart)
    if jitter is None:
        return exact
    for look in range(LOOKS):
        held = shaken(exact, jitter, CALMER**look)
        if shows(heart, view, held):
            return held
    return exact


def shows(heart: Heart, view: str, plane: Plane) -> bool:
    """Whether a plane shows at end-diastole what its view is named for, and little of what would make it another."""
    wanted, foreign = SHOWN[view]
    across, down = np.meshgrid(np.arange(-66.0, 70.0, LOOK_MM), np.arange(6.0, 180.0, LOOK_MM))
    areas = np.bincount(heart.labels(plane.points(across, down), 0.0), minlength=len(LABEL_NAMES)) * LOOK_MM**2
    return all(areas[one] >= SHOWN_MM2 for one in wanted) and all(areas[one] <= FOREIGN_MM2 for one in foreign)


def shaken(plane: Plane, jitter: np.random.Generator, strength: float = 1.0) -> Plane:
    """As a hand holds it whose deviations are `strength` times the usual."""
    tilt, turn, swing = np.deg2rad(strength * jitter.normal(0.0, [TILT_DEGREES, TURN_DEGREES, TILT_DEGREES]))
    moved = plane.turned(tilt, turn, swing)
    right, out = strength * jitter.normal(0.0, SHIFT_MM, 2)
    return Plane(moved.origin + right * moved.right + 0.5 * out * moved.normal, moved.right, moved.down)


def _apical(angle: float, aside: float = 0.0, posterior: float = 0.0) -> Callable[[Heart], Plane]:
    """Through the apex; `aside` mm to the image's left, and `posterior` of the way to the mitral ring's centre."""

    def plane(heart: Heart) -> Plane:
        apex = UPWARD * (heart.anatomy.epicardial_apex + APICAL_GAP)
        target, right = posterior * heart.anatomy.mitral_centre, radial(angle)
        centred = target - (target @ right) * right
        view = facing(apex, centred, right)
        return Plane(view.origin - aside * view.right, view.right, view.down)

    return plane


def _five_chamber(heart: Heart) -> Plane:
    """The four-chamber plane tilted forward until it meets the aortic valve."""
    four = _apical(ANGLES["A4C"], SEPTUM_CENTRED)(heart)
    valve = heart.anatomy.outflow_centre + 6.0 * heart.anatomy.aortic_axis
    target = valve - ((valve - four.origin) @ four.right) * four.right
    return facing(four.origin, target, four.right)


def _stand(anatomy: Anatomy, height: float) -> Vector:
    """A place on the chest beside the sternum, at a height along the heart's axis."""
    return radial(PARASTERNAL) * (front_of_heart(anatomy) + anatomy.parameters.chest_wall) + UPWARD * height


def _long_axis(heart: Heart) -> Plane:
    length = heart.parameters.lv_length
    return facing(_stand(heart.anatomy, 0.12 * length), UPWARD * 0.08 * length, -UPWARD - 0.10 * radial(PARASTERNAL))


def _aortic_zoom(heart: Heart) -> Plane:
    valve = heart.anatomy.outflow_centre + 4.0 * heart.anatomy.aortic_axis
    return facing(_stand(heart.anatomy, 0.05 * heart.parameters.lv_length), valve, -UPWARD)


def _short_axis(height: float) -> Callable[[Heart], Plane]:
    """Across the left ventricle at a fraction of its length."""

    def plane(heart: Heart) -> Plane:
        level = height * heart.parameters.lv_length
        stand = _stand(heart.anatomy, level)
        return facing(stand, UPWARD * level, radial(PARASTERNAL - np.pi / 2))

    return plane


def _aortic_short_axis(heart: Heart) -> Plane:
    valve = heart.anatomy.outflow_centre + 5.0 * heart.anatomy.aortic_axis
    return facing(_stand(heart.anatomy, 2.0), valve, radial(PARASTERNAL - np.pi / 2))


def _inflow(heart: Heart) -> Plane:
    """From the parasternal window through the right ventricle, its valve and the right atrium."""
    a = heart.anatomy
    stand = _stand(a, 0.25 * heart.parameters.lv_length)
    ring = a.tricuspid_centre * [0.82, 0.82, 1.0]
    return facing(stand, ring, a.right_atrium.centre - ring)


def _subcostal(heart: Heart) -> Plane:
    """Through the liver, both atria and the apex, which is at the image's right."""
    p, atrium, beside = heart.parameters, heart.anatomy.left_atrium.centre, heart.anatomy.right_atrium.centre
    apex = UPWARD * p.lv_length
    middle = 0.5 * atrium + 0.45 * apex + 0.05 * beside
    across = np.cross(apex - atrium, apex - beside)
    across /= np.linalg.norm(across)
    liverward = radial(np.deg2rad(207.0)) * 0.95 + UPWARD * 0.36
    aside = liverward - (liverward @ across) * across
    depth = (heart.surroundings.diaphragm - middle @ DIAPHRAGM) / (aside @ DIAPHRAGM) + LIVER_DEPTH
    return facing(middle + aside * depth, middle, apex - atrium)


def _cava(heart: Heart) -> Plane:
    """Along the inferior vena cava, the right atrium at the image's right."""
    cava = heart.surroundings.cava.points
    middle = cava[0] - SUPERIOR * 22.0
    return facing(middle + ANTERIOR * 78.0, middle, SUPERIOR)


_PLANES: Mapping[str, Callable[[Heart], Plane]] = {
    "A2C": _apical(ANGLES["A2C"], 0.0, 0.3),
    "A3C": _apical(ANGLES["A3C"]),
    "A4C": _apical(ANGLES["A4C"], SEPTUM_CENTRED, 0.65),
    "A5C": _five_chamber,
    "PLAX": _long_axis,
    "PLAX-AV": _aortic_zoom,
    "PSAX-AV": _aortic_short_axis,
    "PSAX-MV": _short_axis(0.22),
    "PSAX-PM": _short_axis(0.48),
    "PSAX-APEX": _short_axis(0.80),
    "RV-INFLOW": _inflow,
    "SC-4C": _subcostal,
    "SC-IVC": _cava,
}
