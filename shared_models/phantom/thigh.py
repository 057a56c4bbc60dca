"""The anterior thigh as a scene: skin, fat, fascia, the rectus femoris among its neighbours, femur and vessels.

Its frame of reference and the shape of the rectus femoris are told in `leg`. A thigh lies still: tissue stays in place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom.fascicles import streaks
from shared_models.phantom.leg import GAP_MM, WIDTH_SHARE, Array, Leg, Section, at_positions, rectus_area, sections
from shared_models.phantom.scene import Points, Tissue

SKIN = 1  # and the gel on it
FAT = 2
RECTUS_FEMORIS = 3
VASTUS_INTERMEDIUS = 4
OTHER_MUSCLE = 5  # vastus lateralis and medialis, sartorius, and whatever the femur hides
BONE = 6
VESSEL = 7

THIGH_LABEL_NAMES = (
    "outside the field",
    "skin and gel",
    "subcutaneous fat",
    "rectus femoris",
    "vastus intermedius",
    "other muscle",
    "femur",
    "femoral vessel",
)

# By label, all assumed: amplitude of the backscatter and of connective tissue in it, loss in dB/cm/MHz, and by how much
# of itself the backscatter grows when a whole muscle is lost (that it grows: Annetta 2017, Ann Intensive Care 7:104).
_SCATTER = np.array([0, 1.0, 0.13, 0.065, 0.065, 0.075, 0.01, 0.01], dtype=np.float32)
_ABSORPTION = np.array([0, 0.5, 0.45, 0.45, 0.45, 0.45, 25.0, 0.1], dtype=np.float32)
_STREAKS = np.array([0, 0, 1.4, 1.0, 1.0, 1.1, 0, 0], dtype=np.float32)
_TENDON_SCATTER = 1.2
_CORE_SCATTER = 0.9
_SCARS = np.array([0, 0, 0, 1.5, 1.5, 1.5, 0, 0], dtype=np.float32)
_GEL_SCATTER = 0.01

_SLANT = 0.12  # fibres against the thigh's axis: 7 degrees (assumed)
_FAT_LOBES = 0.4  # fat's septa are longer than muscle's by its inverse (assumed)
_APART_MM = 17.0  # from one tissue's piece of the tile of connective tissue to the next one's

_FAINT = np.float32(0.02)  # an interface's flank below this amplitude is none
_SARTORIUS_MM = 13.0, 5.0  # half width and half thickness (assumed)


Labels = NDArray[np.uint8]


class _Outline(NamedTuple):
    """Signed distance in mm to a boundary, negative within, and the normal out of it in the plane of the section."""

    distance: Array
    x: Array
    y: Array


class _Place(NamedTuple):
    """Where points lie against the boundaries they are nearest to."""

    section: Section
    skin: _Outline
    fat: _Outline
    fascia: _Outline
    rectus: _Outline
    intermedius: _Outline
    femur: _Outline
    sartorius: _Outline
    artery: _Outline
    vein: _Outline
    p: Array
    q: Array


def _sheet(height: Array, slope: Array) -> _Outline:
    """A layer's upper face, `height` above which a point lies."""
    scale = 1 / np.sqrt(1 + slope * slope)
    return _Outline(height * scale, -slope * scale, scale)


def _superellipse(p: Array, q: Array, by_p: Array, by_q: tuple[Array, Array], n: float) -> _Outline:
    """|p|^n + |q|^n = 1; p has the derivative `by_p` by x, q has `by_q` by x and y. Distance to first order."""
    near_p, near_q = np.maximum(np.abs(p), 1e-4), np.maximum(np.abs(q), 1e-4)
    radius = (near_p**n + near_q**n) ** (1 / n)
    along_p = np.copysign((near_p / radius) ** (n - 1), p)
    along_q = np.copysign((near_q / radius) ** (n - 1), q)
    x, y = along_p * by_p + along_q * by_q[0], along_q * by_q[1]
    per_length = 1 / np.sqrt(x * x + y * y)
    return _Outline((radius - 1) * per_length, x * per_length, y * per_length)


def _ellipse(x: Array, y: Array, half_width: Array | float, half_height: Array | float) -> _Outline:
    """An ellipse about the origin. Distance to first order."""
    p, q = x / half_width, y / half_height
    radius = np.sqrt(np.maximum(p * p + q * q, 1e-6))
    along_x, along_y = p / half_width, q / half_height
    per_length = 1 / np.sqrt(np.maximum(along_x * along_x + along_y * along_y, 1e-9))
    return _Outline((radius - 1) * radius * per_length, along_x * per_length, along_y * per_length)


def _circle(x: Array, y: Array, radius: Array | float) -> _Outline:
    away = np.sqrt(np.maximum(x * x + y * y, 1e-6))
    return _Outline(away - radius, x / away, y / away)


class Thigh:
    """A thigh that has lost a fraction of the section of its rectus femoris, the same all along it."""

    def __init__(self, leg: Leg, atrophy: float = 0.0) -> None:
        self.leg = leg
        self.atrophy = atrophy
        self._table = sections(leg, atrophy)

    def section(self, z: Array) -> Section:
        """The cross-sections at positions (N,) in mm."""
        return at_positions(self._table, np.asarray(z, dtype=np.float32))

    def area_mm2(self, z: Array) -> Array:
        """Cross-section of the rectus femoris in mm2 at positions (N,) in mm, the plane square to the thigh."""
        return rectus_area(self.leg, self._table, np.asarray(z, dtype=np.float32))

    def skin_height(self, x: Array, z: Array) -> Array:
        """How far before the femur's axis the skin lies, in mm, at (N,) places."""
        section = self.section(z)
        return section.fascia + section.fat + self.leg.skin_mm - x * x / (2 * self.leg.round_mm)

    def _place(self, points: Points) -> _Place:
        x, y, z = np.ascontiguousarray(points.T)
        leg, section = self.leg, self.section(z[:1] if np.ptp(z) == 0 else z)
        slope = x * np.float32(-1 / leg.round_mm)
        above = y - section.fascia - x * slope / 2  # the fascia
        p = (x - section.centre) / section.half_width
        thickness = section.half_thickness * (1 + leg.skew * p)
        q = (above + GAP_MM + section.half_thickness) / thickness
        q_by_x = (-slope - q * leg.skew * section.half_thickness / section.half_width) / thickness
        across, deep = x - section.sartorius, above + GAP_MM + _SARTORIUS_MM[1]
        bed = section.vessels * section.vessels / (-2 * leg.round_mm) + section.fascia - 2 * (GAP_MM + _SARTORIUS_MM[1])
        artery, vein = leg.artery_mm / 2, leg.vein_mm / 2
        beside = x - section.vessels
        return _Place(
            section=section,
            skin=_sheet(above - section.fat - leg.skin_mm, slope),
            fat=_sheet(above - section.fat, slope),
            fascia=_sheet(above, slope),
            rectus=_superellipse(p, q, 1 / section.half_width, (q_by_x, 1 / thickness), leg.squareness),
            # behind the femur it goes on straight: its end there lies in the shadow or beside the field
            intermedius=_ellipse(x, np.maximum(y, 0), section.wide, section.intermedius),
            femur=_circle(x, y, section.femur),
            sartorius=_superellipse(
                across / _SARTORIUS_MM[0],
                deep / _SARTORIUS_MM[1],
                np.asarray(1 / _SARTORIUS_MM[0]),
                (slope / -_SARTORIUS_MM[1], np.asarray(1 / _SARTORIUS_MM[1])),
                2.0,
            ),
            artery=_circle(beside, y - bed + artery, artery),
            vein=_circle(beside + 2, y - bed + 2 * artery + vein + 1, vein),
            p=p,
            q=q,
        )

    def labels(self, points: Points, phase: float) -> Labels:
        """(N,) label values of this module, 1 to 7."""
        del phase  # a muscle at rest
        return _labels(self._place(points))

    def tissue(self, points: Points, phase: float, *, contrast: bool) -> Tissue:
        """What lies at (N, 3) points in mm."""
        del phase, contrast  # a muscle at rest, with no agent in its blood
        place = self._place(points)
        labels = _labels(place)
        interface, normal = _interfaces(place)
        return Tissue(
            scatter=self._scatter(place, labels, points),
            interface=interface,
            normal=normal,
            absorption=_ABSORPTION[labels],
            material=points,
            blood=labels == VESSEL,
        )

    def _scatter(self, place: _Place, labels: Labels, points: Points) -> Array:
        rectus = labels == RECTUS_FEMORIS
        sheets = streaks(self.leg.texture, *self._fabric(place, labels, points))
        scatter = _SCATTER[labels] + _STREAKS[labels] * sheets
        scatter[rectus] += self._tendons(place)[rectus]
        scatter[place.skin.distance > 0] = _GEL_SCATTER
        return np.asarray(scatter * (1 + _SCARS[labels] * self.atrophy), dtype=np.float32)

    def _fabric(self, place: _Place, labels: Labels, points: Points) -> tuple[Array, Array, Array]:
        """Where points lie in the fabric of their own tissue: what wastes takes it along, and fibres run aslant."""
        x, y, z = points.T
        section, rectus, fat = place.section, labels == RECTUS_FEMORIS, labels == FAT
        left = 1 - self.atrophy
        across = np.where(rectus, place.p * section.half_width / left**WIDTH_SHARE, x)
        across = np.where(fat, _FAT_LOBES * x, across)
        depth = np.where(rectus, place.q * section.half_thickness, y) / left ** (1 - WIDTH_SHARE) + _SLANT * z
        depth = np.where(fat, place.fat.distance, depth)
        apart = _APART_MM * labels.astype(np.float32)
        return across + apart, depth + apart, z

    @staticmethod
    def _tendons(place: _Place) -> Array:
        """The tendon below, and the comma of the inner tendon, which fades towards the knee."""
        section = place.section
        sheet = (place.p + 0.15 - 0.35 * place.q * place.q) * section.half_width
        reach = np.clip(4 * (section.core - np.abs(place.q - 0.1) - 0.05), 0, 1)
        return _TENDON_SCATTER * section.tendon + _CORE_SCATTER * reach * np.exp(-np.square(sheet / np.float32(0.5)))


def _labels(place: _Place) -> Labels:
    labels = np.full(len(place.femur.distance), OTHER_MUSCLE, dtype=np.uint8)
    for value, inside in (
        (VASTUS_INTERMEDIUS, place.intermedius.distance < 0),
        (RECTUS_FEMORIS, place.rectus.distance < 0),
        (VESSEL, (place.artery.distance < 0) | (place.vein.distance < 0)),
        (BONE, place.femur.distance < 0),
        (FAT, place.fascia.distance >= 0),
        (SKIN, place.fat.distance >= 0),
    ):
        labels[inside] = value
    return labels


def _interfaces(place: _Place) -> tuple[Array, Points]:
    """The strongest echo of any boundary at each point, and its normal."""
    best = np.full(len(place.femur.distance), _FAINT, dtype=np.float32)
    normal = np.zeros((len(best), 3), dtype=np.float32)
    for outline, amplitude, width in (
        (place.skin, 1.5, 0.3),
        (place.fat, 0.5, 0.3),
        (place.fascia, 1.6, 0.35),
        (place.rectus, 0.8, 0.3),
        (place.intermedius, 1.3, 0.35),
        (place.sartorius, 0.7, 0.3),
        (place.artery, 0.8, 0.3),
        (place.vein, 0.5, 0.3),
        (place.femur, 8.0, 0.7),
    ):
        echo = np.float32(amplitude) * np.exp(-np.square(outline.distance / np.float32(width)))
        nearer = echo > best
        best[nearer] = echo[nearer]
        normal[nearer, 0] = np.broadcast_to(outline.x, best.shape)[nearer]
        normal[nearer, 1] = np.broadcast_to(outline.y, best.shape)[nearer]
    best[best == _FAINT] = 0
    return best, normal
