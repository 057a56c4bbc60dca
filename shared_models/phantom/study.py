"""One acquisition of a phantom patient: images as a machine stores them, with the truth of every frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.long_axis import seven_points
from shared_models.phantom import labels as label
from shared_models.phantom import overlays
from shared_models.phantom.contour import endocardial_curve
from shared_models.phantom.heart import Heart
from shared_models.phantom.machines import Machine, machine_named
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.patients import Patient
from shared_models.phantom.planes import APICAL_GAP, Plane, standard_plane
from shared_models.phantom.scanner import Scanner
from shared_models.phantom.views import VIEWS, View, view_named
from shared_models.phantom.volumes import displacement_to_end_diastole

POINTS = 7
MAX_FRAMES = 100_000


@dataclass(frozen=True)
class Frame:
    """One image and its truth.

    Attributes:
        image: (H, W) uint8.
        labels: (H, W) values of `labels`.
        contour: (7, 2) pixels, x then y, pixel centres at whole numbers; NaN where the view shows no long axis.
        phase: 0 to 1.
        volume_ml: of the left ventricle.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    contour: NDArray[np.float32]
    phase: float
    volume_ml: float


@dataclass(frozen=True)
class Clip:
    """A phantom acquisition of T frames.

    Attributes:
        patient: key of the patient.
        view: which view, `contrast` whether with contrast.
        machine: name of the machine.
        images, labels: (T, H, W) uint8.
        sector: (H, W) whether a pixel lies in the scanned region.
        contours: (T, 7, 2) as in `Frame`.
        phases: (T,) 0 to 1.
        times_s: (T,) seconds.
        volumes_ml: (T,) of the left ventricle.
        ejection_fraction: percent.
        end_diastole, end_systole: numbers of the frames nearest to them, in whichever beat of the clip.
        spacing_mm: edge of a pixel.
        plane: where the image lies.
    """

    patient: str
    view: View
    contrast: bool
    machine: str
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    sector: NDArray[np.bool_]
    contours: NDArray[np.float32]
    phases: NDArray[np.float64]
    times_s: NDArray[np.float64]
    volumes_ml: NDArray[np.float64]
    ejection_fraction: float
    end_diastole: int
    end_systole: int
    spacing_mm: float
    plane: Plane


class Acquisition:
    """A machine held to a patient's heart: frames come one after another and are not kept.

    Attributes:
        patient, view, contrast, machine: what is acquired, with which machine.
        plane: where the image lies, with the operator's jitter.
        scanner: the machine at work.
    """

    def __init__(
        self,
        patient: Patient,
        view: str,
        machine: str | Machine,
        *,
        seed: int = 0,
        contrast: bool = False,
        size: tuple[int, int] | None = None,
        jitter: bool = True,
        overlay_key: int | None = None,
    ) -> None:
        self.patient, self.view, self.contrast = patient, view_named(view), contrast
        self.machine = machine_named(machine) if isinstance(machine, str) else machine
        if seed < 0:
            raise ValueError(f"a seed of {seed} is negative: it must be 0 or more")
        place = [patient.seed, list(VIEWS).index(view), int(contrast), seed]
        generator = np.random.default_rng([*place, 5])
        self.plane = standard_plane(patient.heart, view, generator if jitter else None)
        start, depth = depths(patient.heart, self.view)
        zoom = float(np.exp(generator.normal(0.0, 0.05))) if jitter else 1.0
        self.scanner = Scanner(
            self.machine,
            self.plane,
            size=size,
            depth_mm=depth * zoom,
            start_mm=max(start, self.machine.start_mm),
            seed=int(generator.integers(2**31)),
        )
        self.overlay_key = overlay_key

    def frames(self, phases: Sequence[float] | NDArray[np.floating]) -> Iterator[Frame]:
        """One frame for each phase, in turn."""
        heart, sector = self.patient.heart, self.scanner.sector
        inside = self.scanner.pixel_points()[sector.ravel()]
        images = self.scanner.frames(heart, phases, contrast=self.contrast)
        beats = np.unwrap(np.asarray(phases, np.float64), period=1.0)  # the trace goes on from beat to beat
        for phase, beat, image in zip(phases, beats, images, strict=True):
            marks = np.full(sector.shape, label.OUTSIDE, np.uint8)
            marks[sector] = heart.labels(inside, float(phase))
            yield Frame(
                image=self._marked(image, float(beat)),
                labels=marks,
                contour=self._contour(float(phase)),
                phase=float(phase),
                volume_ml=heart.motion.lv_volume(float(phase)),
            )

    def displacement_to_end_diastole(self, phase: float) -> NDArray[np.float32]:
        """(H, W, 3) mm from each pixel's tissue to where it is at end-diastole, in space; 0 outside the sector."""
        sector = self.scanner.sector
        field = np.zeros((*sector.shape, 3), np.float32)
        inside = self.scanner.pixel_points()[sector.ravel()]
        field[sector] = displacement_to_end_diastole(self.patient.heart, inside, phase)
        return field

    def _marked(self, image: NDArray[np.uint8], beat: float) -> NDArray[np.uint8]:
        rate = self.patient.parameters.heart_rate
        return overlays.draw(
            image[None], self.scanner, [beat], END_SYSTOLE, heart_rate_bpm=rate, overlay_key=self.overlay_key
        )[0]

    def _contour(self, phase: float) -> NDArray[np.float32]:
        """NaN too where the apex or a basal point lies outside the sector."""
        nothing = np.full((POINTS, 2), np.nan, np.float32)
        curve = endocardial_curve(self.patient.heart, self.plane, phase)
        if curve is None:
            return nothing
        first = self.scanner.pixel_mm[0, 0]
        pixels = ((seven_points(curve) - first) / self.scanner.spacing_mm).astype(np.float32)
        column, row = np.rint(pixels).astype(int).T
        height, width = self.scanner.sector.shape
        if (pixels < 0).any() or (column >= width).any() or (row >= height).any():
            return nothing
        return pixels if self.scanner.sector[row, column].all() else nothing


def frame_phases(frames: int, machine: Machine, heart_rate: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Phases and seconds of a clip at the machine's frame rate, lowered where the clip would not hold one beat.

    Raises:
        ValueError: no frame, or more than a clip may hold.
    """
    if not 1 <= frames <= MAX_FRAMES:
        raise ValueError(f"a clip of {frames} frames is out of range: 1 to {MAX_FRAMES}")
    beat = 60.0 / heart_rate
    step = max(1.0 / machine.frame_rate_hz, beat / frames)
    times = np.arange(frames, dtype=np.float64) * step
    return np.mod(times / beat, 1.0).astype(np.float64), times.astype(np.float64)


def acquire(
    patient: Patient,
    view: str,
    machine: str | Machine,
    *,
    frames: int = 32,
    seed: int = 0,
    contrast: bool = False,
    size: tuple[int, int] | None = None,
    jitter: bool = True,
    overlay_key: int | None = None,
) -> Clip:
    """A clip with the truth of every frame.

    Args:
        patient: whose heart.
        view: name of a standard view.
        machine: a machine or its name.
        frames: T.
        seed: of this acquisition; the same patient, view and seed give the same clip.
        contrast: the left ventricle filled with microbubbles.
        size: (H, W) pixels; the machine's own where left out.
        jitter: whether an operator holds the transducer, who never hits the plane exactly.
        overlay_key: number of a mark drawn over the image, for a shortcut on purpose.

    Raises:
        ValueError: an unknown view or machine, a size or number of frames out of range.
    """
    held = Acquisition(
        patient, view, machine, seed=seed, contrast=contrast, size=size, jitter=jitter, overlay_key=overlay_key
    )
    phases, times = frame_phases(frames, held.machine, patient.parameters.heart_rate)
    taken = list(held.frames(phases))
    return Clip(
        patient=patient.key,
        view=held.view,
        contrast=contrast,
        machine=held.machine.name,
        images=np.stack([frame.image for frame in taken]),
        labels=np.stack([frame.labels for frame in taken]),
        sector=held.scanner.sector,
        contours=np.stack([frame.contour for frame in taken]),
        phases=phases,
        times_s=times,
        volumes_ml=np.array([frame.volume_ml for frame in taken]),
        ejection_fraction=patient.parameters.ejection_fraction,
        end_diastole=nearest_frame(phases, 0.0),
        end_systole=nearest_frame(phases, END_SYSTOLE),
        spacing_mm=held.scanner.spacing_mm,
        plane=held.plane,
    )


def still(
    patient: Patient,
    view: str,
    machine: str | Machine,
    *,
    phase: float = 0.0,
    seed: int = 0,
    contrast: bool = False,
    size: tuple[int, int] | None = None,
    jitter: bool = True,
    overlay_key: int | None = None,
) -> Frame:
    """One frame; arguments and errors as for `acquire`."""
    held = Acquisition(
        patient, view, machine, seed=seed, contrast=contrast, size=size, jitter=jitter, overlay_key=overlay_key
    )
    return next(held.frames([phase]))


def nearest_frame(phases: NDArray[np.float64], wanted: float) -> int:
    """Number of the frame whose phase is nearest to the one wanted, around the beat."""
    away = np.abs(phases - wanted)
    return int(np.argmin(np.minimum(away, 1.0 - away)))


def depths(heart: Heart, view: View) -> tuple[float, float]:
    """Where an image of this view begins and ends, in mm from the transducer, so that the heart fills it."""
    a, p = heart.anatomy, heart.parameters
    if view.window == "apical":
        return 0.0, APICAL_GAP + a.epicardial_apex + p.la_length + 14.0
    if view.window == "subcostal":
        return 0.0, 150.0 if view.name == "SC-IVC" else 190.0
    across = p.chest_wall + 2 * (p.lv_radius + max(p.septal_wall, p.lateral_wall))
    if view.name == "PLAX-AV":
        return p.chest_wall + 2.0, across + 8.0
    return 0.0, across + {"PLAX": 42.0, "RV-INFLOW": 40.0, "PSAX-AV": 40.0}.get(view.name, 34.0)
