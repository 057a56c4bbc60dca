"""How right the phantom's truth is: every number the largest over patients of all populations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims import Measured, Row, at_most, told

if TYPE_CHECKING:
    from shared_models.phantom.heart import Heart
    from shared_models.phantom.patients import Patient
    from shared_models.phantom.study import Acquisition

PATIENTS = 60
EDGE = 128
POINTS = 20_000
PHASES = (0.1, 0.2, 0.36, 0.5, 0.7, 0.9)
LONG_AXES = ("A2C", "A3C", "A4C")
RADII = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # pixels
Floats = NDArray[np.floating]


def measure_geometry(*, quick: bool) -> Measured:
    """Ejection fraction, Simpson's volume, the map and its inverse, contours."""
    patients = list(_patients(6 if quick else PATIENTS))
    ejection = np.array([_ejection_error(patient, 80 if quick else EDGE) for patient in patients])
    straight, shaken = (np.array([_simpson_error(patient, jitter) for patient in patients]) for jitter in (False, True))
    shaken = shaken[np.isfinite(shaken)]
    back = max(_round_trip(patient.heart, kind) for patient in patients for kind in (np.float32, np.float64))
    contours = np.array([one for patient in patients[:: 1 if quick else 3] for one in _contour_distances(patient)])
    claims = (
        at_most("ejection fraction counted in voxels, largest error of the prescribed", ejection.max(), "%", 1.0),
        at_most("Simpson's biplane from true contours, largest error of the true volume", straight.max(), "%", 5.0),
        told("the same, planes as an operator holds them, median error", float(np.median(shaken)), "%"),
        at_most("the map and its inverse, either order, farthest from where it began", back, "mm", 0.05),
        at_most("contour points, farthest from the label's boundary", contours[:, 0].max(), "pixels", 0.5),
        told("the same, from the boundary of whole pixels, median", float(np.median(contours[:, 1])), "pixels"),
    )
    return Measured(rows=_rows(ejection, straight, shaken, contours), claims=claims)


def _rows(ejection: Floats, straight: Floats, shaken: Floats, contours: Floats) -> tuple[Row, ...]:
    table = f"Errors of the truth over {len(ejection)} patients of three populations"
    named = (
        ("ejection fraction, % of the prescribed", ejection),
        ("Simpson's volume, exact planes, % of the true one, ED and ES", straight.ravel()),
        ("Simpson's volume, an operator's planes, %, ED and ES", shaken),
        ("contour to the label's boundary, pixels", contours[:, 0]),
        ("contour to the boundary of whole pixels, pixels", contours[:, 1]),
    )
    return tuple(
        {
            "table": table,
            "error": name,
            "median": float(np.median(values)),
            "95 % below": float(np.quantile(values, 0.95)),
            "largest": float(values.max()),
        }
        for name, values in named
    )


def _patients(count: int) -> Iterator[Patient]:
    from shared_models.phantom.patients import draw_patient
    from shared_models.phantom.population import POPULATIONS

    for seed in range(count):
        yield draw_patient(seed, list(POPULATIONS)[seed % len(POPULATIONS)])


def _ejection_error(patient: Patient, edge: int) -> float:
    """Percent of the prescribed, by counting one random point in each voxel of a cube about the ventricle."""
    from shared_models.phantom import labels as label
    from shared_models.phantom.motion import END_SYSTOLE

    p, generator = patient.parameters, np.random.default_rng(patient.seed)
    side = max(2.1 * p.lv_radius * (1 + p.lv_oval + p.lv_lobes), p.lv_length + 2)
    index = np.stack(np.unravel_index(np.arange(edge**3), (edge,) * 3), axis=1).astype(np.float32)
    counts = []
    for phase in (0.0, END_SYSTOLE):
        points = (index + generator.random(index.shape, np.float32)) * np.float32(side / edge)
        points -= np.array([side / 2, side / 2, 1], np.float32)
        counts.append(int((patient.heart.labels(points, phase) == label.LV).sum()))
    return abs(100 * (1 - counts[1] / counts[0]) / p.ejection_fraction - 1) * 100


def _simpson_error(patient: Patient, jitter: bool) -> list[float]:
    """Percent of the true volume at end-diastole and end-systole; NaN where a plane misses the long axis."""
    from shared_models.long_axis import simpson_biplane
    from shared_models.phantom.contour import endocardial_curve
    from shared_models.phantom.motion import END_SYSTOLE
    from shared_models.phantom.planes import standard_plane

    hand = np.random.default_rng(patient.seed) if jitter else None
    four, two = (standard_plane(patient.heart, view, hand) for view in ("A4C", "A2C"))
    errors = []
    for phase in (0.0, END_SYSTOLE):
        first, second = (endocardial_curve(patient.heart, plane, phase) for plane in (four, two))
        if first is None or second is None:
            errors.append(np.nan)
            continue
        errors.append(abs(simpson_biplane(first, second) / patient.heart.motion.lv_volume(phase) - 1) * 100)
    return errors


def _round_trip(heart: Heart, kind: type[np.floating]) -> float:
    """Millimetres."""
    points = np.random.default_rng(0).uniform([-140, -120, -140], [120, 120, 160], (POINTS, 3)).astype(kind)
    farthest = 0.0
    for phase in PHASES:
        there = heart.motion.inverse(heart.motion.forward(points, phase), phase)
        back = heart.motion.forward(heart.motion.inverse(points, phase), phase)
        farthest = max(farthest, *(float(np.linalg.norm(one - points, axis=1).max()) for one in (there, back)))
    return farthest


def _contour_distances(patient: Patient) -> Iterator[tuple[float, float]]:
    """Pixels from each of the seven points to the label's boundary in space, and to that of whole pixels."""
    from shared_models.phantom import labels as label
    from shared_models.phantom.motion import END_SYSTOLE
    from shared_models.phantom.study import Acquisition

    for view in LONG_AXES:
        for side in (112, 256):
            held = Acquisition(patient, view, "godwit", size=(side, side), jitter=False)
            for frame in held.frames([0.0, END_SYSTOLE]):
                exact = _to_change(held, frame.contour, frame.phase)
                yield from zip(exact, to_edges(frame.contour, frame.labels == label.LV), strict=True)


def _to_change(held: Acquisition, contour: Floats, phase: float) -> list[float]:
    """The smallest radius about each point within which the label is left ventricle here and something else there."""
    from shared_models.phantom import labels as label

    turns = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    ring = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    around = contour[:, None, None] + np.array(RADII)[:, None, None] * ring
    spots = around.reshape(-1, 2) * held.scanner.spacing_mm + held.scanner.pixel_mm[0, 0]
    marks = held.patient.heart.labels(held.plane.points(*spots.T), phase).reshape(around.shape[:3]) == label.LV
    both = marks.any(axis=2) & ~marks.all(axis=2)
    return [RADII[int(np.argmax(row))] if row.any() else np.inf for row in both]


def to_edges(points: Floats, inside: NDArray[np.bool_]) -> Floats:
    """(N,) from points (x, y) to the nearest pixel edge between what is inside and what is not."""
    rows, columns = np.nonzero(inside[:, 1:] != inside[:, :-1])
    below, across = np.nonzero(inside[1:] != inside[:-1])
    middle = np.concatenate([np.stack([columns + 0.5, rows], 1), np.stack([across, below + 0.5], 1)])
    half = np.concatenate([np.tile([0.0, 0.5], (len(rows), 1)), np.tile([0.5, 0.0], (len(across), 1))])
    nearest = np.clip(points[:, None], middle - half, middle + half)
    distance: Floats = np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1)
    return distance
