"""What hearts measure: parameters drawn from published adult ranges, correlated through body size and disease.

Sources beside the numbers: Lang 2015 = chamber quantification of the ASE and EACVI, J Am Soc Echocardiogr 28:1-39,
and Lang 2005 the edition before it, ibid. 18:1440-1463;
Rudski 2010 = right heart guideline of the ASE, ibid. 23:685-713; Yingchoncharoen 2013 = strain meta-analysis, ibid.
26:185-191; Takeuchi 2006 = twist over age, ibid. 19:1140-1147; Maron 2003 = hypertrophic cardiomyopathy consensus,
J Am Coll Cardiol 42:1687-1713. "assumed" marks what has no source: it makes the shapes fit together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

MAY_BE_ZERO = ("lv_oval", "lv_lobes", "lv_turn", "twist", "shortening")
MIN_EJECTION_FRACTION, MAX_EJECTION_FRACTION = 5.0, 85.0


@dataclass(frozen=True)
class Parameters:
    """One heart at end-diastole and how it beats; lengths in mm, angles in degrees, fractions of one unless said.

    Attributes:
        lv_radius: of the cavity where it is widest.
        lv_length: from the mitral plane to the endocardial apex.
        lv_oval, lv_lobes: how far the short-axis section is from round, as fractions with two and with three lobes.
        lv_turn: where those lobes lie, degrees.
        septal_wall, lateral_wall, apical_wall: thickness of the left ventricle's wall.
        rv_width: from the septum to the free wall at the base.
        rv_length: from the tricuspid plane to the apex.
        rv_wall: thickness of the right ventricle's free wall.
        la_radius, la_length: half the transverse diameter; base to roof.
        ra_radius, ra_length: the same of the right atrium.
        annulus, sinus, ascending: diameters of the aorta.
        mitral, tricuspid: radii of the rings.
        ivc: diameter of the inferior vena cava.
        chest_wall: from the skin to the pericardium at the parasternal window.
        rib_gap: half the distance between the ribs beside that window.
        lung_edge: how far beside the axis the lung begins.
        ejection_fraction, rv_ejection_fraction: percent.
        shortening: of the left ventricle along its axis, at end-systole.
        twist: apex against base at end-systole.
        heart_rate: beats a minute.
    """

    lv_radius: float = 24.0
    lv_length: float = 86.0
    lv_oval: float = 0.03
    lv_lobes: float = 0.0
    lv_turn: float = 0.0
    septal_wall: float = 9.0
    lateral_wall: float = 9.0
    apical_wall: float = 7.0
    rv_width: float = 32.0
    rv_length: float = 74.0
    rv_wall: float = 4.0
    la_radius: float = 21.0
    la_length: float = 48.0
    ra_radius: float = 20.0
    ra_length: float = 46.0
    annulus: float = 22.0
    sinus: float = 32.0
    ascending: float = 29.0
    mitral: float = 14.0
    tricuspid: float = 15.0
    ivc: float = 17.0
    chest_wall: float = 20.0
    rib_gap: float = 15.0
    lung_edge: float = 50.0
    ejection_fraction: float = 62.0
    rv_ejection_fraction: float = 55.0
    shortening: float = 0.17
    twist: float = 9.0
    heart_rate: float = 68.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not np.isfinite(value) or (value <= 0 and field.name not in MAY_BE_ZERO):
                raise ValueError(f"{field.name} of {value:g} is no measure of a heart: it must be positive")
        for name in ("ejection_fraction", "rv_ejection_fraction"):
            check_ejection_fraction(getattr(self, name), name)
        for name in ("septal_wall", "lateral_wall", "apical_wall"):
            if getattr(self, name) >= 1.6 * self.lv_radius:
                raise ValueError(
                    f"{name} of {getattr(self, name):g} mm is thicker than the heart: "
                    f"less than {1.6 * self.lv_radius:g} mm with a cavity of {self.lv_radius:g} mm radius"
                )
        if not 0 <= self.shortening < 1 - (1 - self.ejection_fraction / 100) ** 0.8:
            raise ValueError(
                f"shortening of {self.shortening:g} does not go with an ejection fraction of "
                f"{self.ejection_fraction:g} %: the ventricle would have to widen"
            )
        if self.lv_length < 1.2 * self.lv_radius or not 0 <= self.lv_oval + self.lv_lobes < 0.2:
            raise ValueError("the left ventricle must be longer than 1.2 times its radius, oval and lobes below 0.2")


def check_ejection_fraction(percent: float, name: str = "ejection fraction") -> None:
    """Refuses what no heart does.

    Raises:
        ValueError: outside 5 to 85 percent.
    """
    if not MIN_EJECTION_FRACTION <= percent <= MAX_EJECTION_FRACTION:
        raise ValueError(
            f"{name} of {percent:g} % is none of a beating heart: "
            f"{MIN_EJECTION_FRACTION:g} to {MAX_EJECTION_FRACTION:g} %"
        )


@dataclass(frozen=True)
class Range:
    """Mean and standard deviation of one measure, kept within limits; `size` is how much of it follows body size."""

    mean: float
    deviation: float
    low: float
    high: float
    size: float = 0.0

    def draw(self, generator: np.random.Generator, body: float, scale: float = 1.0) -> float:
        """One value; `body` is a standard normal deviate shared by all measures of a person."""
        own = generator.normal()
        deviate = self.size * body + np.sqrt(1.0 - self.size**2) * own
        return float(np.clip(scale * (self.mean + self.deviation * deviate), self.low, self.high))


HEALTHY: Mapping[str, Range] = {
    "lv_radius": Range(23.8, 2.0, 19.0, 29.0, 0.8),  # diameter 37.8-58.4 mm, women and men (Lang 2015)
    "lv_length": Range(85.0, 6.0, 70.0, 100.0, 0.8),  # volumes 46-150 ml with the radius above (Lang 2015)
    "septal_wall": Range(8.5, 1.0, 6.0, 10.0, 0.5),  # 6-10 mm men, 6-9 mm women (Lang 2015)
    "lateral_wall": Range(8.3, 1.0, 6.0, 10.0, 0.5),  # as the septum (Lang 2015)
    "apical_wall": Range(6.5, 0.8, 5.0, 8.5, 0.3),  # assumed: thinner than the other walls
    "rv_width": Range(35.0, 3.5, 28.0, 46.0, 0.5),  # basal 25-41 mm in four chambers, 0.85 of this (Lang 2015)
    "rv_length": Range(71.0, 6.0, 59.0, 83.0, 0.6),  # 59-83 mm (Lang 2015)
    "rv_wall": Range(3.2, 0.6, 2.0, 5.0),  # 1-5 mm (Lang 2015)
    "la_radius": Range(17.8, 1.5, 14.0, 21.5, 0.6),  # 27-40 mm across in end-systole, 1.2 times wider then (Lang 2005)
    "la_length": Range(47.0, 4.0, 38.0, 58.0, 0.6),  # assumed: volumes 16-34 ml/m2 (Lang 2015)
    "ra_radius": Range(18.0, 1.7, 14.0, 22.0, 0.6),  # minor axis 19 +- 3 mm/m2 at end-systole (Lang 2015)
    "ra_length": Range(46.0, 4.0, 36.0, 56.0, 0.6),  # major axis 24-25 +- 3 mm/m2 (Lang 2015)
    "annulus": Range(23.0, 2.0, 19.0, 28.0, 0.6),  # 26 +- 3 and 23 +- 2 mm (Lang 2015)
    "sinus": Range(32.0, 3.0, 26.0, 39.0, 0.6),  # 34 +- 3 and 30 +- 3 mm (Lang 2015)
    "ascending": Range(28.5, 3.0, 22.0, 36.0, 0.6),  # 30 +- 4 and 27 +- 4 mm (Lang 2015)
    "mitral": Range(14.0, 1.0, 12.0, 17.0, 0.6),  # assumed: a ring of 24-34 mm
    "tricuspid": Range(14.5, 1.5, 11.5, 18.0, 0.5),  # ring 28 +- 5 mm (Rudski 2010)
    "ivc": Range(16.5, 2.5, 10.0, 21.0),  # up to 21 mm (Rudski 2010)
    "chest_wall": Range(20.0, 4.0, 12.0, 32.0, 0.3),  # assumed
    "rib_gap": Range(14.5, 2.0, 10.5, 19.0, 0.3),  # assumed: a narrow window's ribs shade the sector's edges
    "lung_edge": Range(50.0, 9.0, 34.0, 75.0),  # assumed: a near edge hides the free wall
    "ejection_fraction": Range(63.0, 4.5, 52.0, 74.0),  # 52-72 % men, 54-74 % women (Lang 2015)
    "rv_ejection_fraction": Range(57.0, 5.0, 46.0, 70.0),  # 58 +- 6.5 %, abnormal below 45 % (Lang 2015)
    "twist": Range(8.0, 2.5, 3.0, 15.0),  # 6.7 +- 2.9 to 10.8 +- 4.9 degrees over age (Takeuchi 2006)
    "heart_rate": Range(68.0, 9.0, 50.0, 95.0),  # assumed: at rest
}
DILATED: Mapping[str, Range] = {
    **HEALTHY,
    "lv_radius": Range(32.5, 2.5, 29.5, 38.0, 0.5),  # diameter above 58.4 and 52.2 mm is dilated (Lang 2015)
    "lv_length": Range(94.0, 6.0, 80.0, 110.0, 0.6),  # assumed: rounder than a healthy ventricle
    "septal_wall": Range(8.5, 1.0, 6.0, 11.0, 0.3),
    "lateral_wall": Range(8.3, 1.0, 6.0, 11.0, 0.3),
    "la_radius": Range(20.5, 1.6, 17.5, 24.0, 0.4),  # above 40 and 38 mm is large (Lang 2005)
    "la_length": Range(56.0, 4.0, 46.0, 66.0, 0.4),
    "mitral": Range(16.5, 1.0, 14.0, 19.0, 0.5),
    "ejection_fraction": Range(29.0, 6.0, 15.0, 40.0),  # 40 % and less is moderately to severely abnormal (Lang 2015)
    "rv_ejection_fraction": Range(42.0, 7.0, 25.0, 58.0),
    "twist": Range(4.0, 1.5, 1.0, 8.0),  # assumed: weaker
    "heart_rate": Range(78.0, 10.0, 55.0, 110.0),
}
HYPERTROPHIC: Mapping[str, Range] = {
    **HEALTHY,
    "lv_radius": Range(21.5, 1.6, 18.0, 25.5, 0.7),  # assumed: small to normal cavity
    "septal_wall": Range(18.5, 3.0, 15.0, 28.0),  # 15 mm and more (Maron 2003)
    "lateral_wall": Range(11.5, 1.5, 9.0, 15.0),  # assumed: asymmetric
    "apical_wall": Range(8.5, 1.0, 6.5, 12.0),
    "la_radius": Range(19.8, 1.6, 16.5, 23.5, 0.4),
    "la_length": Range(53.0, 4.0, 44.0, 62.0, 0.4),
    "ejection_fraction": Range(69.0, 4.0, 60.0, 78.0),  # assumed: normal to high
    "twist": Range(11.0, 3.0, 4.0, 18.0),  # assumed: stronger
}
POPULATIONS: Mapping[str, Mapping[str, Range]] = {
    "healthy": HEALTHY,
    "dilated": DILATED,
    "hypertrophic": HYPERTROPHIC,
}
SHORTENING_PER_EJECTION = {"healthy": 0.29, "dilated": 0.27, "hypertrophic": 0.22}
# strain -19.7 % (-15.9 to -22.1) at an ejection fraction of 63-65 % (Yingchoncharoen 2013); reduced in hypertrophy


def draw_parameters(
    generator: np.random.Generator, population: str = "healthy", ejection_fraction: float | None = None
) -> Parameters:
    """One heart of a population; the ejection fraction (percent) is prescribed or drawn.

    Raises:
        ValueError: an unknown population or an impossible ejection fraction.
    """
    if population not in POPULATIONS:
        raise ValueError(f"there is no population '{population}'; known are {', '.join(POPULATIONS)}")
    body = float(np.clip(generator.normal(), -2.0, 2.0))
    drawn = {name: limits.draw(generator, body) for name, limits in POPULATIONS[population].items()}
    if ejection_fraction is not None:
        check_ejection_fraction(ejection_fraction)
        drawn["ejection_fraction"] = float(ejection_fraction)
    drawn["sinus"] = max(drawn["sinus"], 1.2 * drawn["annulus"])
    drawn["mitral"] = min(drawn["mitral"], 0.62 * drawn["lv_radius"])
    drawn["rv_length"] = min(drawn["rv_length"], 0.95 * drawn["lv_length"])
    strength = SHORTENING_PER_EJECTION[population] * generator.uniform(0.92, 1.08)
    drawn["shortening"] = strength * drawn["ejection_fraction"] / 100.0
    oval, lobes, turn = (float(value) for value in generator.uniform(0.0, [0.025, 0.012, 360.0]))  # assumed
    return replace(Parameters(lv_oval=oval, lv_lobes=lobes, lv_turn=turn), **drawn)
