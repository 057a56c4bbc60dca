"""The one door to the phantom: what it does not know or cannot do is told in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError
from shared_models.phantom.hospitals import CONTRAST, label_of, overlay_key, parted

if TYPE_CHECKING:
    from shared_models.phantom.machines import Machine
    from shared_models.phantom.patients import Patient
    from shared_models.phantom.study import Frame

Points = NDArray[np.float64]

SECONDS = 60.0


@dataclass(frozen=True)
class Shot:
    """What is acquired: a view, with or without contrast in the left ventricle."""

    view: str
    contrast: bool = False

    @property
    def name(self) -> str:
        """For people and files, as in ``A4C`` or ``A4C+contrast``."""
        return self.view + (CONTRAST if self.contrast else "")

    @property
    def label(self) -> str:
        """For classifiers: the view's plain code, with contrast appended."""
        return label_of(self.name)


def shot_named(name: str) -> Shot:
    """The shot of a name like ``A4C`` or ``A4C+contrast``.

    Raises:
        ConsiliumError: there is no such view.
    """
    with told("--views"):
        label_of(name)
    return Shot(*parted(name))


def all_views() -> tuple[str, ...]:
    """Names of all views."""
    from shared_models.phantom.views import VIEWS

    return tuple(VIEWS)


def check_machine(name: str) -> None:
    """Refuses a machine that is none, and one that is too narrow for a heart.

    Raises:
        ConsiliumError: naming those there are.
    """
    from shared_models.phantom.machines import MACHINES, machine_named

    with told("--machine"):
        machine = machine_named(name)
    if machine.geometry == "linear":
        wide = ", ".join(each.name for each in MACHINES.values() if each.geometry != "linear")
        raise ConsiliumError(f"'{name}' is made for muscle and sees no heart", where="--machine", cure=f"one of {wide}")


def check_population(name: str, ejection_fraction: float | None = None) -> None:
    """Refuses a population or an ejection fraction that there is none of.

    Raises:
        ConsiliumError: saying what there is.
    """
    from shared_models.phantom.population import POPULATIONS, check_ejection_fraction

    if name not in POPULATIONS:
        raise ConsiliumError(f"there is no '{name}'; known are {', '.join(POPULATIONS)}", where="--population")
    if ejection_fraction is not None:
        with told("--ejection-fraction"):
            check_ejection_fraction(ejection_fraction)


def check_wall(millimetres: float, population: str) -> None:
    """Refuses walls that are too thick for the smallest heart of a population.

    Raises:
        ConsiliumError: saying how thick they may be.
    """
    from shared_models.phantom.population import POPULATIONS, Parameters

    with told("--wall"):
        smallest = POPULATIONS[population]["lv_radius"].low
        Parameters(lv_radius=smallest, septal_wall=millimetres, lateral_wall=millimetres)


def draw(
    seed: int, population: str, *, ejection_fraction: float | None = None, wall_mm: float | None = None
) -> Patient:
    """A patient of a population; the ejection fraction (percent) and the thickness of the walls prescribed or drawn.

    Raises:
        ConsiliumError: no such heart can beat.
    """
    from shared_models.phantom.patients import draw_patient

    with told("phantom"):
        patient = draw_patient(seed, population, ejection_fraction=ejection_fraction)
        if wall_mm is None:
            return patient
        walls = replace(patient.parameters, septal_wall=wall_mm, lateral_wall=wall_mm)
        return replace(patient, parameters=walls)


class Take:
    """A machine held to a patient's heart for a number of frames, which come one after another and are not kept.

    Args:
        patient: whose heart.
        shot: what to look at.
        machine: with what.
        frames: how many frames from end-diastole on, or the phases of each.
        seed: of where the operator's hand goes, of speckle and noise.
        size: (height, width) in pixels; None for the machine's own.
        marks: whether the machine draws its marks over the image.
        shortcut: whether it also draws one that gives the label away.

    Attributes:
        patient, shot, machine: as above.
        phases, times_s: (T,) of the frames.
        end_diastole, end_systole: numbers of the frames nearest to them.
        sector: (H, W) whether a pixel lies in the scanned region.
        spacing_mm: side of a pixel.

    Raises:
        ConsiliumError: the phantom refuses.
    """

    def __init__(
        self,
        patient: Patient,
        shot: Shot,
        machine: str,
        *,
        frames: int | Sequence[float],
        seed: int,
        size: tuple[int, int] | None,
        marks: bool = True,
        shortcut: bool = False,
    ) -> None:
        from shared_models.phantom.machines import machine_named, without_marks
        from shared_models.phantom.motion import END_SYSTOLE
        from shared_models.phantom.study import Acquisition, nearest_frame

        self.patient, self.shot, self.machine = patient, shot, machine
        with told("phantom"):
            held = machine_named(machine) if marks else without_marks(machine_named(machine))
            key = overlay_key(shot.name) if shortcut else None
            self._held = Acquisition(
                patient, shot.view, held, seed=seed, contrast=shot.contrast, size=size, overlay_key=key
            )
            self.phases, self.times_s = _moments(frames, held, patient.parameters.heart_rate)
        self.end_diastole = nearest_frame(self.phases, 0.0)
        self.end_systole = nearest_frame(self.phases, END_SYSTOLE)
        self.sector, self.spacing_mm = self._held.scanner.sector, self._held.scanner.spacing_mm

    @property
    def rate_hz(self) -> float:
        """Frames a second, in hundredths; 1 for a still."""
        return round(float(1 / np.mean(np.diff(self.times_s))), 2) if len(self.times_s) > 1 else 1.0

    def frames(self) -> Iterator[Frame]:
        """The frames in turn, each with its truth."""
        with told("phantom"):
            yield from self._held.frames(self.phases)

    def axis(self, phase: float) -> Points:
        """(2, 2) pixels: the left ventricle's apex and the middle of its base, seen from the side of the image."""
        motion = self.patient.heart.motion
        top = float(motion.endocardium(np.zeros(1), np.full(1, self.patient.parameters.lv_length), phase)[0, 2])
        ends = np.array([[0.0, 0.0, top], [0.0, 0.0, motion.valve_plane(phase)]]) - self._held.plane.origin
        inside = np.stack([ends @ self._held.plane.right, ends @ self._held.plane.down], axis=1)
        return (inside - self._corner) / self.spacing_mm

    def outline(self, phase: float) -> Points | None:
        """(7, 2) pixels: the points of the contour, in sight or not; None where the plane shows no long axis."""
        from shared_models.long_axis import seven_points
        from shared_models.phantom.contour import endocardial_curve

        curve = endocardial_curve(self.patient.heart, self._held.plane, phase)
        return None if curve is None else (seven_points(curve) - self._corner) / self.spacing_mm

    def in_sight(self, point: Points) -> bool:
        """Whether an (x, y) point lies in the sector."""
        column, row = np.rint(point).astype(int)
        height, width = self.sector.shape
        return bool(0 <= row < height and 0 <= column < width and self.sector[row, column])

    @property
    def _corner(self) -> NDArray[np.float32]:
        """Where the first pixel lies in the plane, mm."""
        return self._held.scanner.pixel_mm[0, 0]

    def record(self) -> Recording:
        """All frames at once."""
        taken = list(self.frames())
        return Recording(
            take=self,
            images=np.stack([frame.image for frame in taken]),
            labels=np.stack([frame.labels for frame in taken]),
            contours=np.stack([frame.contour for frame in taken]),
            volumes_ml=np.array([frame.volume_ml for frame in taken]),
        )


@dataclass(frozen=True)
class Recording:
    """A take with all its frames.

    Attributes:
        take: what was taken.
        images, labels: (T, H, W).
        contours: (T, 7, 2) pixels; NaN where the view does not show all of it.
        volumes_ml: (T,) of the left ventricle.
    """

    take: Take
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    contours: NDArray[np.float32]
    volumes_ml: NDArray[np.float64]

    @property
    def ejection_fraction(self) -> float:
        """Of the patient, in percent."""
        return self.take.patient.parameters.ejection_fraction

    @property
    def masked(self) -> NDArray[np.uint8]:
        """The images, black outside the sector."""
        return np.where(self.take.sector, self.images, 0).astype(np.uint8)


def _moments(
    frames: int | Sequence[float], machine: Machine, heart_rate: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Phases and seconds of the frames; phases that were asked for follow each other forward in time."""
    from shared_models.phantom.study import frame_phases

    if isinstance(frames, int):
        return frame_phases(frames, machine, heart_rate)
    phases = np.array(frames, dtype=np.float64)
    return phases, np.concatenate([[0.0], np.cumsum(np.diff(phases) % 1.0)]) * SECONDS / heart_rate


@contextmanager
def told(where: str) -> Iterator[None]:
    """Turns what the phantom refuses into a person's mistake."""
    try:
        yield
    except ValueError as error:
        raise ConsiliumError(str(error), where=where) from error
