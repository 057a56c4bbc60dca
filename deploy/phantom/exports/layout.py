"""What every layout has in common: who its patients are, and how they are divided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deploy.phantom.acquisition import Recording, Shot, Take, draw
from deploy.phantom.orders import choose
from deploy.phantom.seeds import seed_of, share_of
from deploy.phantom.tracings import Segment, long_axis
from deploy.phantom.workplace import File, Line, Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared_models.phantom.patients import Patient

MIX = {"healthy": 0.6, "dilated": 0.2, "hypertrophic": 0.2}
ROTA = ("train", "train", "val", "train", "train", "test", "train", "train", "train", "train")


@dataclass(frozen=True)
class ExportOrder:
    """What a person asked for.

    Attributes:
        patients: how many.
        seed: all randomness comes from it.
        frames: of a clip, where the layout has clips.
        size: side of an image in pixels; None for what the layout has.
    """

    patients: int
    seed: int
    frames: int
    size: int | None


@dataclass(frozen=True)
class Layout:
    """A public data set's form on disk.

    Attributes:
        about: what is in it and how it differs from the real one, for the folder's notice.
        patient: files and lines of one patient, counted from 1.
        tables: files that list all patients.
    """

    about: str
    patient: Callable[[ExportOrder, int], Iterator[File | Line]]
    tables: Callable[[ExportOrder, Lines], Iterator[File]]


def patient_of(order: ExportOrder, number: int) -> Patient:
    """The patient of a number, out of a mix of populations."""
    population = choose(MIX, share_of(order.seed, number, "population"))
    return draw(seed_of(order.seed, number, "patient"), population)


def record(
    order: ExportOrder,
    number: int,
    patient: Patient,
    shot: Shot,
    machine: str,
    *,
    frames: int | Sequence[float] | None = None,
    size: tuple[int, int] | None = None,
    marks: bool = False,
    again: int = 0,
) -> Recording:
    """A clip of a patient; `again` tells several of the same view apart, and the rest is as for a `Take`."""
    take = Take(
        patient,
        shot,
        machine,
        frames=order.frames if frames is None else frames,
        seed=seed_of(order.seed, number, shot.name, again, "acquisition"),
        size=size if order.size is None else (order.size, order.size),
        marks=marks,
    )
    return take.record()


def part_of(number: int) -> str:
    """``train``, ``val`` or ``test``: eight, one and one of ten, the third and the sixth being the odd ones."""
    return ROTA[(number - 1) % len(ROTA)]


def axis_of(clip: Recording, frame: int) -> Segment:
    """The ventricle's long axis from the apex to the base: by the contour where all of it is in sight."""
    contour = clip.contours[frame].astype(np.float64)
    if np.isfinite(contour).all():
        return long_axis(contour)
    apex, base = clip.take.axis(float(clip.take.phases[frame]))
    return Segment(*map(float, (*apex, *base)))


def volumes(clip: Recording) -> tuple[float, float]:
    """End-diastolic and end-systolic volume in ml."""
    return float(clip.volumes_ml[clip.take.end_diastole]), float(clip.volumes_ml[clip.take.end_systole])
