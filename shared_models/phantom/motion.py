"""The beat as an invertible map from end-diastole, with the ejection fraction prescribed.

In cylinder coordinates about the left ventricle's axis (s = radius squared, angle, z) the map is a composition of
factors, each monotone in one coordinate while the others stand still, so each is inverted by itself:

1. atria: s_a -> piecewise linear about each atrium's own axis; they fill while the ventricles empty.
2. along: z -> z + e d(s) G(z), with G' = -h. Inside the heart (d = 1) the slope is lambda(z) = 1 - e h(z).
3. across: s -> g(s; angle, z), piecewise linear over the anatomy's layers A < B < R < W (radii squared), with slopes
   k = (1 - EF c) / lambda in the left ventricle's cavity, 1 / lambda in its wall, its own k in the right ventricle,
   1 / lambda in that one's wall, and what is left over between W and a fixed outer radius.
4. twist: angle -> angle + tau(z) d'(s).

Volume in these coordinates is ds dangle dz / 2: a slice of the cavity becomes k lambda = 1 - EF c of what it was, at
every height, so the ejection fraction is met exactly; the wall keeps its volume exactly (its Jacobian is one).
The contraction c(phase) runs from 0 at end-diastole (phase 0) to 1 at end-systole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from shared_models.phantom.anatomy import BASE_FADE, Anatomy, Layers
from shared_models.phantom.shapes import Array, Ellipsoid, dtype_of

END_SYSTOLE = 0.36
OUTER = 1.55  # radius, against the heart's own, from which everything stands still
ATRIAL_ROOM = 1.5  # the same about an atrium
ATRIAL_FILLING = 0.65  # gain of an atrium's cross-section at end-systole
ATRIAL_FADE = 10.0  # mm below the mitral plane over which that gain sets in
STEP = 0.25
NEWTON_STEPS = 3

_TIMES = (0.0, 0.05, 0.20, END_SYSTOLE, 0.42, 0.52, 0.60, 0.78, 0.86, 0.95, 1.0)
_CONTRACTION = (0.0, 0.02, 0.68, 1.0, 0.96, 0.42, 0.26, 0.22, 0.17, 0.02, 0.0)
_MITRAL_TIMES = (0.0, 0.42, 0.49, 0.60, 0.74, 0.82, 0.88, 0.96, 1.0)
_MITRAL = (0.0, 0.0, 1.0, 0.45, 0.35, 0.45, 0.75, 0.05, 0.0)
_AORTIC_TIMES = (0.0, 0.05, 0.10, 0.28, 0.37, 1.0)
_AORTIC = (0.0, 0.0, 1.0, 0.8, 0.0, 0.0)


@lru_cache(maxsize=3)
def _course(times: tuple[float, ...], values: tuple[float, ...]) -> Callable[[float], float]:
    curve = PchipInterpolator(times, values)
    return lambda phase: float(curve(phase % 1.0))


def contraction(phase: float) -> float:
    """Share of the stroke that has been ejected, 0 to 1: ejection, relaxation, rapid filling, atrial kick."""
    return _course(_TIMES, _CONTRACTION)(phase)


def mitral_opening(phase: float) -> float:
    """0 shut to 1 open: an early and an atrial wave; the tricuspid valve does the same."""
    return _course(_MITRAL_TIMES, _MITRAL)(phase)


def aortic_opening(phase: float) -> float:
    """0 shut to 1 open."""
    return _course(_AORTIC_TIMES, _AORTIC)(phase)


@dataclass(frozen=True)
class Located:
    """Points as the anatomy sees them: where they lie at end-diastole, and between which layers.

    Attributes:
        x, y, z: (N,) mm at end-diastole.
        radius, angle: of the same points about the axis, before the atria's own motion.
        layers: radii at that angle and height.
    """

    x: Array
    y: Array
    z: Array
    radius: Array
    angle: Array
    layers: Layers


class Motion:
    """The map of one heart; `phase` runs from 0 (end-diastole) to 1, points are (N, 3) in mm."""

    def __init__(self, anatomy: Anatomy) -> None:
        self.anatomy = anatomy
        self.top = anatomy.epicardial_apex + 4.0
        self.roof = -1.35 * max(anatomy.parameters.la_length, anatomy.parameters.ra_length)

    def forward(self, points: Array, phase: float) -> Array:
        """Where the tissue that is at `points` at end-diastole is at `phase`."""
        amount = contraction(phase)
        x, y, z = points[:, 0], points[:, 1], points[:, 2]
        for atrium in self._atria:
            x, y = self._fill(atrium, x, y, z, amount, inverse=False)
        angle = angle_of(x, y)
        s: Array = x * x + y * y
        moved = self._along(z, s, angle, amount)
        inner = self._inner_inverse(moved, amount)
        s = self._across(s, angle, inner, self.anatomy.layers(angle, inner), amount, inverse=False)
        turned, radius = angle + self._twist(moved, s, amount), np.sqrt(s)
        return np.stack([radius * np.cos(turned), radius * np.sin(turned), moved], axis=1)

    def inverse(self, points: Array, phase: float) -> Array:
        """Where the tissue that is at `points` at `phase` is at end-diastole."""
        found = self.locate(points, phase)
        return np.stack([found.x, found.y, found.z], axis=1)

    def locate(self, points: Array, phase: float) -> Located:
        """As `inverse`, with all that was computed on the way."""
        amount = contraction(phase)
        x, y, moved = points[:, 0], points[:, 1], points[:, 2]
        s: Array = x * x + y * y
        angle = angle_of(x, y)
        if amount:
            angle = angle - self._twist(moved, s, amount)
            inner = self._inner_inverse(moved, amount)
        else:
            inner = moved
        layers = self.anatomy.layers(angle, inner)
        if not amount:
            return Located(x, y, moved, np.sqrt(s), angle, layers)
        s = self._across(s, angle, inner, layers, amount, inverse=True)
        z = self._along_inverse(moved, inner, s, angle, amount)
        radius = np.sqrt(s)
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        for atrium in reversed(self._atria):
            x, y = self._fill(atrium, x, y, z, amount, inverse=True)
        return Located(x, y, z, radius, angle, layers)

    def valve_plane(self, phase: float) -> float:
        """Height of the mitral plane, mm: it comes down toward the apex in systole."""
        shift = self.anatomy.parameters.shortening * contraction(phase)
        return float(shift * self._looked_up(self._gain, np.zeros(1))[0])

    def lv_volume(self, phase: float) -> float:
        """In ml."""
        ejected = self.anatomy.parameters.ejection_fraction / 100.0 * contraction(phase)
        return self.anatomy.endocardial_volume() * (1.0 - ejected)

    def endocardium(self, angle: np.ndarray, z: np.ndarray, phase: float) -> np.ndarray:
        """(N, 3) where the left ventricle's endocardium is now, of angles and heights at end-diastole; z at least 0."""
        p, amount = self.anatomy.parameters, contraction(phase)
        stretch = 1 - p.shortening * amount * self._looked_up(self._strain, z)
        share = (1 - p.ejection_fraction / 100 * amount) / stretch
        s = share * self.anatomy.endocardium(angle, z) ** 2
        moved = z + p.shortening * amount * self._looked_up(self._gain, z)
        turned, radius = angle + self._twist(moved, s, amount), np.sqrt(s)
        return np.stack([radius * np.cos(turned), radius * np.sin(turned), moved], axis=1)

    @property
    def _atria(self) -> tuple[Ellipsoid, Ellipsoid]:
        return self.anatomy.left_atrium, self.anatomy.right_atrium

    # along the axis

    @cached_property
    def _heights(self) -> np.ndarray:
        return np.arange(self.roof, self.top + STEP, STEP)

    @cached_property
    def _strain(self) -> np.ndarray:
        """Strain h at `_heights`: one in the ventricles, zero at the ends, negative in the atria; integral zero."""
        z, length = self._heights, self.anatomy.parameters.lv_length
        fall = np.clip((z - 0.7 * length) / (self.top - 0.7 * length), 0, 1)
        positive = np.where(z >= 0, 0.5 + 0.5 * np.cos(np.pi * fall), np.cos(np.pi / 2 * np.clip(-z / 8.0, 0, 1)) ** 2)
        negative = np.where(z < -8.0, np.sin(np.pi * np.clip((z - self.roof) / (-8.0 - self.roof), 0, 1)), 0.0)
        whole = positive - negative * positive.sum() / negative.sum()
        whole[-1] = 0.0
        return whole

    @cached_property
    def _gain(self) -> np.ndarray:
        """G at `_heights`: the integral of h from there to the apex, zero at both ends."""
        h = self._strain
        pieces = (h[1:] + h[:-1]) / 2 * STEP
        gain = np.concatenate([[0.0], np.cumsum(pieces[::-1])])[::-1].copy()
        gain[0] = 0.0
        return gain

    def _along_table(self, amount: float) -> tuple[np.ndarray, np.ndarray]:
        return self._heights, self._heights + self.anatomy.parameters.shortening * amount * self._gain

    def _looked_up(self, table: np.ndarray, z: Array) -> Array:
        """Linear interpolation on the regular heights; zero beyond them."""
        return self._looked_up_twice(table, z)[0]

    def _looked_up_twice(self, table: np.ndarray, z: Array) -> tuple[Array, Array]:
        """The same, and its slope."""
        kind = dtype_of(z)
        place = np.clip((z - kind(self.roof)) * kind(1 / STEP), 0, kind(len(table) - 1.001))
        below = place.astype(np.intp)
        values = table.astype(kind)
        start = values[below]
        rise = values[below + 1] - start
        return start + (place - below.astype(kind)) * rise, rise * kind(1 / STEP)

    def _inner_inverse(self, moved: Array, amount: float) -> Array:
        """Height at end-diastole of what is now at this height inside the heart."""
        heights, images = self._along_table(amount)
        kind = dtype_of(moved)
        inside = np.interp(moved, images, heights).astype(kind)
        return np.where((moved <= kind(images[0])) | (moved >= kind(images[-1])), moved, inside)

    def _along(self, z: Array, s: Array, angle: Array, amount: float) -> Array:
        shift = dtype_of(z)(self.anatomy.parameters.shortening * amount)
        return z + shift * self._hold(s, angle) * self._looked_up(self._gain, z)

    def _along_inverse(self, moved: Array, inner: Array, s: Array, angle: Array, amount: float) -> Array:
        """Inside the heart the table's own inverse; around it Newton's, from between that and standing still."""
        hold = self._hold(s, angle)
        around = np.flatnonzero((hold < 1) & (hold > 0))
        z = np.where(hold >= 1, inner, moved)
        if len(around):
            shift = dtype_of(moved)(self.anatomy.parameters.shortening * amount) * hold[around]
            wanted = moved[around]
            guess = wanted + hold[around] * (inner[around] - wanted)
            for _ in range(NEWTON_STEPS):
                gain, slope = self._looked_up_twice(self._gain, guess)
                guess = guess - (guess + shift * gain - wanted) / (1 + shift * slope)
            z[around] = guess
        return z

    def _hold(self, s: Array, angle: Array) -> Array:
        """d: one in the heart, falling to zero at the outer radius."""
        envelope = self.anatomy.envelope(angle)
        share = np.clip((np.sqrt(s) / envelope - 1) / dtype_of(s)(OUTER - 1), 0, 1)
        return 1 - share * share * (3 - 2 * share)

    # across the axis

    def _across(self, s: Array, angle: Array, z: Array, layers: Layers, amount: float, *, inverse: bool) -> Array:
        """The map g or its inverse: monotone, linear between the layers' squared radii and their images."""
        p, kind = self.anatomy.parameters, dtype_of(s)
        stretch = 1 - kind(p.shortening * amount) * self._looked_up(self._strain, z)
        cavity = kind(1 - p.ejection_fraction / 100 * amount) / stretch
        right = kind(1 - p.rv_ejection_fraction / 100 * amount) / stretch
        a, b = layers.endocardium**2, layers.epicardium**2
        r, w = layers.rv_endocardium**2, layers.rv_epicardium**2
        outer = (kind(OUTER) * self.anatomy.envelope(angle)) ** 2
        fade = np.clip(1 + z / kind(BASE_FADE), 0, 1)
        fade = fade * fade * (3 - 2 * fade)
        slopes = [1 + fade * (slope - 1) for slope in (cavity, 1 / stretch, right, 1 / stretch)]
        return _piecewise(s, [a, b - a, r - b, w - r], slopes, outer, inverse=inverse)

    def _twist(self, z: Array, s: Array, amount: float) -> Array:
        """tau(z) d'(s) in radians: the base turns one way, the apex the other."""
        p, kind = self.anatomy.parameters, dtype_of(z)
        total = kind(np.deg2rad(p.twist) * amount)
        height = np.clip(z / kind(p.lv_length), -0.25, 1)
        fade = np.where(height < 0, 1 + 4 * height, 1)
        beyond = np.clip((kind(self.top + 12) - z) / 12, 0, 1)
        wall = kind((p.lv_radius + max(p.lateral_wall, p.septal_wall)) ** 2)
        share = np.clip((s / wall - 1) / kind(OUTER**2 - 1), 0, 1)
        return total * (height - kind(0.3)) * fade * beyond * (1 - share * share * (3 - 2 * share))

    def _fill(
        self, atrium: Ellipsoid, x: Array, y: Array, z: Array, amount: float, *, inverse: bool
    ) -> tuple[Array, Array]:
        """Widens an atrium about its own axis, most at its middle, not at all beyond its ends or in a ventricle."""
        kind = dtype_of(x)
        place = np.clip(np.abs(z - kind(atrium.centre[2])) / kind(atrium.radii[2]), 0, 1)
        below = np.clip(-z / kind(ATRIAL_FADE), 0, 1)
        gain = 1 + kind(ATRIAL_FILLING * amount) * (1 - place * place) ** 2 * below * below
        dx, dy = x - kind(atrium.centre[0]), y - kind(atrium.centre[1])
        s = dx * dx + dy * dy
        inside = np.full_like(s, atrium.radii[0] * atrium.radii[1])
        filled = _piecewise(s, [inside], [gain], kind(ATRIAL_ROOM**2) * inside, inverse=inverse)
        ratio = np.sqrt(filled / np.maximum(s, kind(1e-12)))
        return kind(atrium.centre[0]) + dx * ratio, kind(atrium.centre[1]) + dy * ratio


def angle_of(x: Array, y: Array) -> Array:
    """About the axis, radians."""
    return np.arctan2(y, x)


def _piecewise(s: Array, widths: list[Array], slopes: list[Array], outer: Array, *, inverse: bool) -> Array:
    """A monotone map of s >= 0 with these slopes over these widths, then linear to `outer`, which is fixed."""
    start: Array = np.zeros_like(s)
    image: Array = np.zeros_like(s)
    result: Array = np.zeros_like(s)
    for width, slope in zip(widths, slopes, strict=True):
        grown = slope * width
        result += np.clip(s - image, 0, grown) / slope if inverse else np.clip(s - start, 0, width) * slope
        start, image = start + width, image + grown
    rest = (outer - image) / (outer - start)
    over = np.clip(s - image, 0, outer - image) / rest if inverse else np.clip(s - start, 0, outer - start) * rest
    return result + over + np.maximum(s - outer, 0)
