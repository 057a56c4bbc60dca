"""A thigh in numbers: what is drawn for a leg, and how its cross-section changes along it.

Frame of reference: z runs along the shaft of the femur from the hip (0, the anterior superior iliac spine) to the
upper edge of the patella (`length_mm`), x is lateral and y anterior, to the skin; the shaft's axis is x = y = 0 and its
bow is straightened. Lateral is +x in either leg, so that one leg is the mirror image of the other. Millimetres.

The rectus femoris has, at each z, a superellipse for its section, |p|^n + |q|^n = 1 with p = (x - x0) / a and
q = Y / (b (1 + s p)), where Y is measured from a centre line parallel to the fascia. Bending by the fascia and the
skew s leave the area as it is, so it is 4 a b Gamma(1 + 1/n)^2 / Gamma(1 + 2/n).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import gamma
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

STANDARD_SITE = 0.6  # three fifths of the way from the spine to the patella (Seymour 2009, Thorax 64:418)
WIDTH_SHARE = 0.3  # of an atrophy, as a power of what is left: the thickness takes the rest (assumed)
MOST_ATROPHY = 0.6  # 45 % in 20 days is the most published (Annetta 2017, Ann Intensive Care 7:104)

_ORIGIN, _END = 0.05, 0.95  # where the muscle's belly begins and ends, fraction of the thigh (assumed)
_GROWTH, _DECLINE = 0.6, 1.3  # peak at 0.33; 67.5 % from the knee is published (Rigakuryohogaku 21(3), 1994)
_TENDON = 0.07  # section of the tendon as a fraction of the belly's at the standard site (assumed)
_LENGTH_MM = {"male": 448.2, "female": 419.0}  # of the femur (Karakas 2008, Diagn Interv Radiol 14:29); SD 22 assumed
_FEMUR_MM = {"male": 26.5, "female": 25.6}  # diameter at mid-shaft, same source; SD 1.8 assumed
# Of the rectus femoris: healthy men 560 +- 125 mm2 (Eur Geriatr Med 2019;10:89); the mean of 26 healthy men and women
# of 63 years is about 460 (Seymour 2009: 115 mm2 is 25 % of it), hence women's 400; their SD in proportion (assumed).
_AREA_MM2 = {"male": (560.0, 125.0), "female": (400.0, 90.0)}
_AREA_RANGE_MM2 = (220.0, 780.0)
_FAT_MM = 10.4, 4.1  # subcutaneous, anterior thigh (Mechelli, JCSM Clin Rep 2019;4(2)); 3 mm between the sexes assumed
_FAT_RANGE_MM = 3.0, 22.0
_SKIN_MM = 1.55  # thigh (Laurent 2007, Vaccine 25:6423); SD 0.2 assumed
# Rectus femoris and vastus intermedius together are 28.0 +- 7.1 mm thick (Mechelli 2019), of which the former takes 17.
_INTERMEDIUS_MM = 11.0
_ARTERY_MM = 6.0  # 95th percentile of men 7.7 to 10.2 mm along the femoral artery (Lorbeer 2018, PLoS ONE 13:e0197559)
_VEIN_MM = 7.5  # wider than the artery, narrower than the 13.6 mm of the common femoral vein in the groin (assumed)
_SIDES_DIFFER = 0.03  # relative SD between the legs of one person (assumed)
_INTERMEDIUS_WIDTH_MM = 22.0  # how far the vastus intermedius reaches to either side of the femur (assumed)
GAP_MM = 0.9  # between the muscle and the sheets before and behind it (assumed)
_STEP_MM = 1.0  # sections are tabulated at this distance

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Leg:
    """What tells one thigh from another.

    Attributes:
        length_mm: from the hip to the patella.
        area_mm2: cross-section of the rectus femoris at the standard site before any atrophy.
        aspect: its width over its thickness there.
        squareness: the exponent n of its superellipse.
        skew: s, how much thicker it is laterally.
        offset_mm: how far lateral of the femur it lies.
        intermedius_mm: thickness of the vastus intermedius before the femur at the standard site.
        fat_mm: subcutaneous fat at the standard site.
        skin_mm: skin.
        femur_mm: diameter of the shaft.
        artery_mm: inner diameter of the superficial femoral artery.
        vein_mm: inner diameter of the femoral vein.
        round_mm: radius of the anterior surface, flattened by the probe.
        texture: seed of the connective tissue inside the muscles.
    """

    length_mm: float
    area_mm2: float
    aspect: float
    squareness: float
    skew: float
    offset_mm: float
    intermedius_mm: float
    fat_mm: float
    skin_mm: float
    femur_mm: float
    artery_mm: float
    vein_mm: float
    round_mm: float
    texture: int

    @property
    def standard_mm(self) -> float:
        """Where along the thigh the standard view lies."""
        return STANDARD_SITE * self.length_mm


class Section(NamedTuple):
    """The cross-section at positions along the thigh, in mm; every field is an array over the positions.

    `half_width` and `half_thickness` (a, b), `centre` (x0) and `tendon` (0 belly, 1 tendon) are the rectus femoris's;
    `core` is how far its inner tendon reaches; `intermedius` and `wide` are how far the vastus intermedius reaches
    before the axis and beside it; `sartorius` and `vessels` are where these lie across.
    """

    half_width: Array
    half_thickness: Array
    centre: Array
    tendon: Array
    core: Array
    femur: Array
    intermedius: Array
    wide: Array
    fascia: Array
    fat: Array
    sartorius: Array
    vessels: Array


def spread(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    """(count,) of a standard normal distribution cut off at two deviations."""
    return np.asarray(ndtri(generator.uniform(ndtr(-2), ndtr(2), count)))


def draw_leg(generator: np.random.Generator, sex: str) -> Leg:
    """One leg of an adult."""
    z = [float(each) for each in spread(generator, 12)]
    mean, deviation = _AREA_MM2[sex]
    area = float(np.clip(mean + deviation * z[0], *_AREA_RANGE_MM2))
    fat = _FAT_MM[0] + (1.5 if sex == "female" else -1.5) + _FAT_MM[1] * z[1]
    return Leg(
        length_mm=_LENGTH_MM[sex] + 22 * (0.3 * z[0] + 0.95 * z[2]),
        area_mm2=area,
        aspect=1.95 + 0.15 * z[3],  # assumed
        squareness=2.25 + 0.12 * z[4],  # assumed
        skew=0.06 * z[5],  # assumed
        offset_mm=2.0 + z[6],  # assumed
        intermedius_mm=_INTERMEDIUS_MM * float(np.sqrt(area / 500) * np.exp(0.15 * z[7])),
        fat_mm=float(np.clip(fat, *_FAT_RANGE_MM)),
        skin_mm=_SKIN_MM + 0.2 * z[8],
        femur_mm=_FEMUR_MM[sex] + 1.8 * z[9],
        artery_mm=_ARTERY_MM + 0.7 * z[10],
        vein_mm=_VEIN_MM + 0.9 * z[11],
        round_mm=float(generator.uniform(110, 160)),  # assumed
        texture=int(generator.integers(2**31)),
    )


def other_side(leg: Leg, generator: np.random.Generator) -> Leg:
    """The same person's other leg: every measure differs a little, the connective tissue wholly."""
    near = {
        field.name: getattr(leg, field.name) * float(np.exp(_SIDES_DIFFER * spread(generator, 1)[0]))
        for field in fields(leg)
        if field.name not in {"length_mm", "skin_mm", "round_mm", "texture"}
    }
    return replace(leg, **near, texture=int(generator.integers(2**31)))


def superellipse_area(half_width: Array, half_thickness: Array, exponent: float) -> Array:
    """Area enclosed by |x/a|^n + |y/b|^n = 1."""
    return 4 * half_width * half_thickness * gamma(1 + 1 / exponent) ** 2 / gamma(1 + 2 / exponent)


def _ramp(u: Array, start: float, end: float) -> Array:
    """From 0 at `start` to 1 at `end`, level at both."""
    t = np.clip((u - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def _belly(u: Array) -> Array:
    """Size of the belly of the rectus femoris against the standard site's."""

    def rise_and_fall(at: Array) -> Array:
        t = np.clip((at - _ORIGIN) / (_END - _ORIGIN), 0, 1)
        return t**_GROWTH * (1 - t) ** _DECLINE

    return rise_and_fall(u) / rise_and_fall(np.asarray(STANDARD_SITE))


def _rectus(leg: Leg, u: Array, atrophy: float) -> tuple[Array, Array, Array]:
    """Half width, half thickness and share of tendon.."""
    belly = _belly(u)
    area = leg.area_mm2 * np.hypot(belly, _TENDON) / np.hypot(1, _TENDON)
    tendon = _TENDON**2 / (belly**2 + _TENDON**2)
    aspect = leg.aspect * np.exp(1.1 * (u - STANDARD_SITE)) * (1 + 2 * tendon)  # rounder above, flat below (assumed)
    unit = superellipse_area(np.asarray(1.0), np.asarray(1.0), leg.squareness)
    left = 1 - atrophy
    return (
        np.sqrt(area * aspect / unit) * left**WIDTH_SHARE,
        np.sqrt(area / aspect / unit) * left ** (1 - WIDTH_SHARE),
        tendon,
    )


def _intermedius(u: Array) -> Array:
    """Size of the vastus intermedius against the standard site's: most at 0.44 (Rigakuryohogaku 21(3), 1994)."""

    def swell(at: Array) -> Array:
        return np.sin(np.pi * np.clip(at + 0.06, 0.05, 0.95))

    return swell(u) / swell(np.asarray(STANDARD_SITE))


def sections(leg: Leg, atrophy: float) -> Array:
    """Table (Z, fields of `Section`) of the cross-sections every millimetre from the hip to the patella."""
    z = np.arange(0, np.ceil(leg.length_mm) + 1, _STEP_MM)
    u = z / leg.length_mm
    half_width, half_thickness, tendon = _rectus(leg, u, atrophy)
    femur = leg.femur_mm / 2 * (1 + 0.8 * _ramp(u, 0.8, 1.05) + 0.5 * _ramp(u, 0.15, 0))  # to condyles and trochanter
    size = _intermedius(u)
    intermedius = femur + leg.intermedius_mm * (1 - 0.7 * atrophy) * size  # it wastes less (assumed)
    wide = femur + _INTERMEDIUS_WIDTH_MM * size
    centre = leg.offset_mm * (0.4 + u)
    # crosses from lateral above to medial below, never over the rectus femoris (path assumed)
    sartorius = np.minimum(10 - 95 * u, centre - half_width - 13.5)
    section = Section(
        half_width=half_width,
        half_thickness=half_thickness,
        centre=centre,
        tendon=tendon,
        core=_ramp(u, 0.74, 0.45),
        femur=femur,
        intermedius=intermedius,
        wide=wide,
        fascia=intermedius + 2 * half_thickness + 2 * GAP_MM,
        fat=leg.fat_mm * (1 + 0.35 * (STANDARD_SITE - u)),  # thins to the knee (assumed)
        sartorius=sartorius,
        # medial to the vastus intermedius, behind the sartorius (assumed)
        vessels=np.minimum(sartorius, -wide - leg.vein_mm),
    )
    return np.stack(section, axis=-1).astype(np.float32)


def at_positions(table: Array, z: Array) -> Section:
    """The sections at positions (N,) in mm along the thigh, linear between the table's rows; the ends go on."""
    row = np.clip(z / np.float32(_STEP_MM), 0, len(table) - 1.001).astype(np.float32)
    lower = row.astype(np.int32)
    share = (row - lower)[:, None]
    return Section(*(table[lower] * (1 - share) + table[lower + 1] * share).T)


def rectus_area(leg: Leg, table: Array, z: Array) -> Array:
    """Cross-section in mm2 of the rectus femoris, tendon included, at positions (N,) in mm."""
    section = at_positions(table, z)
    return superellipse_area(section.half_width, section.half_thickness, leg.squareness)
