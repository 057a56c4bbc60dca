"""Muscle ultrasound with known truth: patients whose thighs waste between three visits, scanned by sliding a probe.

A sweep is a clip as an operator makes it: the probe slides along the thigh to the standard site, where the picture is
frozen. Lateral is to the image's left for the right leg and to its right for the left. Nothing here shows a patient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from shared_models.phantom.leg import MOST_ATROPHY, Leg, draw_leg, other_side, spread
from shared_models.phantom.machines import machine_named, without_marks
from shared_models.phantom.scanner import Scanner
from shared_models.phantom.scene import Points, Tissue
from shared_models.phantom.thigh import Labels, Thigh

VISITS = ("T1", "T2", "T3")  # admission, about a week and about two weeks later
SIDES = ("l", "r")
# Median loss of section between admission and discharge 23.49 % (10.01 to 26.07) in severe tetanus (Trung 2019, Trans R
# Soc Trop Med Hyg 113:706); mean and SD here, and half of them for patients with disease of the nervous system, are
# assumed. All of intensive care: 9.8 % at day 7 and 22.7 % at day 14 (Lee, in Fazzini 2023, Crit Care 27:2).
GROUPS = {"CNS": (0.10, 0.035), "TETANUS": (0.21, 0.05)}
MACHINE = "sanderling"

_REPLACED_MM = 2.0  # how well an operator finds the standard site, SD (assumed); never worse than twice that
_HELD = 0.3  # of a sweep's frames show the frozen standard view
_DEPTHS_MM = (40.0, 50.0, 60.0, 70.0, 80.0, 100.0)
_FREEZE_NOISE = 0.25  # grey levels between frozen images, as a video's coding leaves


@dataclass(frozen=True)
class MusclePatient:
    """One patient of the muscle phantom.

    Attributes:
        key: name.
        seed: draws everything about this patient.
        group: one of `GROUPS`.
        sex: male or female.
        legs: left and right, before any atrophy.
        atrophy: fraction of the section of the rectus femoris lost at each of `VISITS`.
    """

    key: str
    seed: int
    group: str
    sex: str
    legs: tuple[Leg, Leg]
    atrophy: tuple[float, float, float]

    def thigh(self, side: str, visit: str) -> Thigh:
        """A leg, l or r, at a visit.

        Raises:
            ValueError: there is no such leg or visit.
        """
        if side not in SIDES:
            raise ValueError(f"there is no leg '{side}'; known are {', '.join(SIDES)}")
        if visit not in VISITS:
            raise ValueError(f"there is no visit '{visit}'; known are {', '.join(VISITS)}")
        return Thigh(self.legs[SIDES.index(side)], self.atrophy[VISITS.index(visit)])


@dataclass(frozen=True)
class Sweep:
    """A clip of a probe that slides along a thigh, with its truth for each of T frames.

    Attributes:
        patient: key.
        side: leg, l or r.
        visit: T1, T2 or T3.
        images: (T, H, W) grey.
        labels: (T, H, W) of `thigh`, 0 outside the field.
        positions_mm: (T,) how far from the hip the plane crosses the rectus femoris.
        standard: (T,) whether the frame is the frozen standard view.
        area_mm2: (T,) section of the rectus femoris there, square to the thigh.
        length_mm: of the thigh.
        standard_mm: where the standard site is.
        spacing_mm: edge of a pixel.
    """

    patient: str
    side: str
    visit: str
    images: NDArray[np.uint8]
    labels: Labels
    positions_mm: NDArray[np.float64]
    standard: NDArray[np.bool_]
    area_mm2: NDArray[np.float64]
    length_mm: float
    standard_mm: float
    spacing_mm: float


@dataclass(frozen=True)
class _Pose:
    """How the probe is held: angles in degrees, `slide` and `aside` in mm along and across the thigh."""

    slide: float
    aside: float
    tilt: float
    rock: float
    turn: float


@dataclass(frozen=True)
class _Face:
    """The plane in the probe's own coordinates."""

    origin: NDArray[np.float64]
    right: NDArray[np.float64]
    down: NDArray[np.float64]


@dataclass(frozen=True)
class _Placed:
    """A probe in the thigh: the rows of `axes` are the image's right, down and out of it; `origin` is the face."""

    axes: Points
    origin: Points

    def inside(self, points: Points) -> Points:
        """(N, 3) points of the probe in the thigh's coordinates."""
        return points @ self.axes + self.origin


_FACE = _Face(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))


class Slide:
    """A thigh seen from a probe that slides, as a scene whose phase tells how far: i / n for frame i of n.

    Points are the probe's: x to the right of the image, y down from the face, z out of the plane, mm.
    """

    def __init__(self, thigh: Thigh, side: str, poses: list[_Pose]) -> None:
        self._thigh = thigh
        self._placed = [_placed(thigh, side, pose) for pose in poses]

    def _at(self, phase: float) -> _Placed:
        return self._placed[round(phase * len(self._placed)) % len(self._placed)]

    def tissue(self, points: Points, phase: float, *, contrast: bool) -> Tissue:
        """What lies at (N, 3) points; scatterers stay fixed to the thigh."""
        placed = self._at(phase)
        found = self._thigh.tissue(placed.inside(points), phase, contrast=contrast)
        return replace(found, normal=found.normal @ placed.axes.T)

    def labels(self, points: Points, phase: float) -> Labels:
        """(N,) label values of `thigh`."""
        return self._thigh.labels(self._at(phase).inside(points), phase)


def draw_muscle_patient(
    seed: int, group: str = "TETANUS", *, atrophy: tuple[float, float] | None = None
) -> MusclePatient:
    """A patient; `atrophy` prescribes the fractions lost at T2 and T3.

    Raises:
        ValueError: there is no such group, or a fraction is none that a muscle can lose.
    """
    if group not in GROUPS:
        raise ValueError(f"there is no group '{group}'; known are {', '.join(GROUPS)}")
    generator = np.random.default_rng([seed, 0x3057, *group.encode()])
    sex = ("male", "female")[int(generator.integers(2))]
    left = draw_leg(generator, sex)
    right = other_side(left, generator)
    lost = _drawn_atrophy(generator, group) if atrophy is None else _checked_atrophy(atrophy)
    return MusclePatient(f"phantom-muscle-{group}-{seed}", seed, group, sex, (left, right), (0.0, *lost))


def _drawn_atrophy(generator: np.random.Generator, group: str) -> tuple[float, float]:
    mean, deviation = GROUPS[group]
    last = mean + deviation * float(spread(generator, 1)[0])
    return last * float(generator.uniform(0.4, 0.6)), last


def _checked_atrophy(atrophy: tuple[float, float]) -> tuple[float, float]:
    for fraction in atrophy:
        if not 0 <= fraction <= MOST_ATROPHY:
            raise ValueError(f"an atrophy of {fraction:.0%} is out of range: give 0 to {MOST_ATROPHY} of the section")
    return atrophy


def _tremor(generator: np.random.Generator, frames: int, smooth: float) -> NDArray[np.float64]:
    """(frames, 5) smooth noise of unit deviation: a hand that wanders and comes to rest at the last frame."""
    rough = gaussian_filter1d(generator.standard_normal((frames + 80, 5)), smooth, axis=0, mode="wrap")[:frames]
    rest = 1 - 0.8 * (np.arange(1, frames + 1) / frames)[:, None] ** 2
    return rough / np.sqrt(1 / (2 * np.sqrt(np.pi) * smooth)) * rest


def _poses(generator: np.random.Generator, thigh: Thigh, moving: int) -> list[_Pose]:
    """A slide from above or below to the standard site, `moving` frames, and where the probe comes to rest."""
    length, site = thigh.leg.length_mm, thigh.leg.standard_mm
    start = length * (generator.uniform(0.28, 0.40) if generator.random() < 0.5 else generator.uniform(0.76, 0.84))
    stop = site + _REPLACED_MM * float(spread(generator, 1)[0])
    progress = 1 - (1 - np.linspace(0, 1, moving + 1)) ** 1.4 if moving else np.ones(1)
    hand = _tremor(generator, moving + 1, 8.0)
    slide = start + (stop - start) * progress + 1.5 * hand[:, 0] * (1 - progress)
    return [
        _Pose(float(z), float(2.0 * h[1]), float(2.0 * h[2]), float(1.5 * h[3]), float(2.0 * h[4]))
        for z, h in zip(slide, hand, strict=True)
    ]


def _placed(thigh: Thigh, side: str, pose: _Pose) -> _Placed:
    """The probe on the skin; its plane turns about the middle of the rectus femoris, so the position is met there."""
    z = np.array([pose.slide])
    section = thigh.section(z)
    x = float(section.centre[0]) + pose.aside
    middle = float(section.fascia[0] - section.half_thickness[0])
    deep = float(thigh.skin_height(np.array([x]), z)[0]) - middle
    tilt, rock, turn = np.radians([pose.tilt, pose.rock, pose.turn])
    lateral = 1.0 if side == "l" else -1.0
    down = np.array([np.sin(rock), -np.cos(rock) * np.cos(tilt), np.cos(rock) * np.sin(tilt)])
    right = lateral * np.array([np.cos(turn), 0.0, np.sin(turn)])
    right -= down * (right @ down)
    right /= np.linalg.norm(right)
    axes = np.stack([right, down, np.cross(right, down)]).astype(np.float32)
    origin = np.array([x, middle, pose.slide]) - deep * down
    return _Placed(axes, origin.astype(np.float32))


def _scanner(leg: Leg, size: tuple[int, int] | None, seed: int) -> Scanner:
    """The machine as set for a leg: the same depth at every visit, enough to see the femur at the standard site."""
    z = np.array([leg.standard_mm])
    whole = Thigh(leg)
    femur = float(whole.skin_height(np.zeros(1), z)[0] - whole.section(z).femur[0])
    machine = replace(
        without_marks(machine_named(MACHINE)),
        margin=(0.0, 0.0, 0.0),
        compression=None,
        noise_db=-96.0,  # shadows are black in muscle presets, and little haze lies over the fat
        haze_db=-42.0,
        clutter_db=-12.0,
    )
    depth = next(each for each in _DEPTHS_MM if each >= femur + 10)
    return Scanner(machine, _FACE, size=size, depth_mm=depth, seed=seed)


def sweep(
    patient: MusclePatient, side: str, visit: str, *, frames: int = 96, seed: int, size: tuple[int, int] | None = None
) -> Sweep:
    """One sweep; the last three tenths of its frames are the frozen standard view.

    Raises:
        ValueError: there is no such leg or visit, or the number of frames or the size is out of range.
    """
    thigh = patient.thigh(side, visit)
    if frames < 1:
        raise ValueError(f"a sweep of {frames} frames is empty: give 1 or more")
    draw = np.random.default_rng([seed, patient.seed, *f"{patient.group}/{side}/{visit}".encode()])
    held = max(1, round(_HELD * frames))
    poses = _poses(draw, thigh, frames - held)
    scanner = _scanner(thigh.leg, size, int(draw.integers(2**31)))
    scene, phases = Slide(thigh, side, poses), np.arange(len(poses)) / len(poses)
    images = np.stack(list(scanner.frames(scene, phases)))
    pixels = scanner.pixel_points()
    labels = np.stack([np.where(scanner.sector, scene.labels(pixels, p).reshape(scanner.size), 0) for p in phases])
    positions = np.array([pose.slide for pose in poses])
    last = np.minimum(np.arange(frames), frames - held)
    return Sweep(
        patient=patient.key,
        side=side,
        visit=visit,
        images=_frozen(draw, images, held, scanner.sector),
        labels=labels[last].astype(np.uint8),
        positions_mm=positions[last],
        standard=np.arange(frames) >= frames - held,
        area_mm2=thigh.area_mm2(positions)[last].astype(np.float64),
        length_mm=thigh.leg.length_mm,
        standard_mm=thigh.leg.standard_mm,
        spacing_mm=scanner.spacing_mm,
    )


def _frozen(
    generator: np.random.Generator, images: NDArray[np.uint8], held: int, field: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """The clip with its last image shown `held` times, as a video shows a frozen picture."""
    still = images[-1].astype(np.float32)
    noise = _FREEZE_NOISE * field * generator.standard_normal((held, *still.shape), dtype=np.float32)
    return np.concatenate([images[:-1], np.clip(np.rint(still + noise), 0, 255).astype(np.uint8)])
