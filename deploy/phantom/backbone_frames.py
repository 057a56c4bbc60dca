"""Phantom frames that a start backbone learns from: many patients, all views, all machines of the heart.

Every frame follows from the seed and its number alone. A patient's frames are all learnt from or all held out.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deploy.phantom.seeds import seed_of, share_of
from shared_models.phantom.hospitals import CONTRAST, parted
from shared_models.phantom.views import VIEWS

if TYPE_CHECKING:
    from shared_models.phantom.machines import Machine
    from shared_models.phantom.patients import Patient

Frames = NDArray[np.uint8]
Labels = NDArray[np.int64]

CLASSES = (*VIEWS, *(view + CONTRAST for view in VIEWS))
POPULATIONS = {"healthy": 0.5, "dilated": 0.25, "hypertrophic": 0.25}
WITH_CONTRAST = 0.25  # of the frames
VIEW_COUNT = len(VIEWS)
A_PATIENT = 4  # frames
HELD_OUT = 8  # every eighth patient
PART = 13  # patients: each view four times
MARKED = 0.5  # of the frames, with what a machine writes over them
STRETCHED = 0.5  # of the frames, taken in the machine's own aspect and stretched to the square
WORD = "backbone"


@dataclass(frozen=True)
class FramePlan:
    """Which frames there are.

    Attributes:
        images: how many, validation included.
        size: side in pixels.
        seed: all randomness comes from it.
        machines: which take them, in equal shares.
    """

    images: int
    size: int
    seed: int
    machines: tuple[str, ...]

    @property
    def patients(self) -> int:
        """How many patients have these frames; the last may have fewer."""
        return -(-self.images // A_PATIENT)

    @property
    def parts(self) -> int:
        """How many pieces of work, `part_frames` each."""
        return -(-self.patients // PART)

    def patient_of_frame(self) -> Labels:
        """(N,) number of each frame's patient."""
        return np.arange(self.images) // A_PATIENT

    def held_out(self) -> NDArray[np.bool_]:
        """(N,) whether a frame is of a patient who is never learnt from."""
        return self.patient_of_frame() % HELD_OUT == HELD_OUT - 1

    def labels(self) -> Labels:
        """(N,) numbers in `CLASSES`."""
        return np.array([self.label(number) for number in range(self.images)], np.int64)

    def label(self, number: int) -> int:
        """Of one frame: views in turn, contrast by lot."""
        contrast = share_of(self.seed, WORD, "frame", number, "contrast") < WITH_CONTRAST
        return number % VIEW_COUNT + VIEW_COUNT * contrast


def heart_machines(*, without: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the machines with which hearts are seen."""
    from shared_models.phantom.machines import MACHINES

    return tuple(
        name for name, machine in MACHINES.items() if machine.geometry != "linear" and name not in set(without)
    )


def all_parts(plan: FramePlan, wanted: Sequence[int]) -> Generator[tuple[int, Frames], None, None]:
    """The wanted parts and their numbers in turn, as many at once as there are cores.

    Closed early, it does not make the rest.
    """
    processes = min(len(os.sched_getaffinity(0)), len(wanted))
    if processes < 2:
        yield from ((part, part_frames(plan, part)) for part in wanted)
        return
    fresh = multiprocessing.get_context("spawn")  # a fork of a process whose torch has threads may hang
    with ProcessPoolExecutor(processes, mp_context=fresh, initializer=_end_with_parent) as pool:
        try:
            yield from zip(wanted, pool.map(partial(part_frames, plan), wanted), strict=True)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """Ctrl-C is the parent's business; its end is ours."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def part_frames(plan: FramePlan, part: int) -> Frames:
    """(n, S, S) the frames of `PART` patients."""
    from threadpoolctl import threadpool_limits

    first, last = part * PART, min((part + 1) * PART, plan.patients)
    with threadpool_limits(1):
        return np.stack([image for patient in range(first, last) for image in _patient_frames(plan, patient)])


def _patient_frames(plan: FramePlan, number: int) -> Iterator[Frames]:
    from deploy.phantom.orders import choose
    from shared_models.phantom.patients import draw_patient

    population = choose(POPULATIONS, share_of(plan.seed, WORD, "patient", number, "population"))
    patient = draw_patient(seed_of(plan.seed, WORD, "patient", number), population)
    for frame in range(number * A_PATIENT, min((number + 1) * A_PATIENT, plan.images)):
        random = np.random.default_rng(seed_of(plan.seed, WORD, "frame", frame))
        yield frame_of(patient, CLASSES[plan.label(frame)], plan.machines, plan.size, random)


def frame_of(
    patient: Patient, label: str, machines: Sequence[str], size: int, random: np.random.Generator
) -> NDArray[np.uint8]:
    """(S, S) a label of a patient at any moment of the beat, with any of the machines."""
    from shared_models.phantom import overlays
    from shared_models.phantom.machines import machine_named
    from shared_models.phantom.motion import END_SYSTOLE
    from shared_models.phantom.study import Acquisition
    from shared_models.scaling import resized

    view, contrast = parted(label)
    machine = as_set_by_someone(machine_named(machines[int(random.integers(len(machines)))]), random)
    shape = _shape(machine, size) if random.random() < STRETCHED else (size, size)
    seed, phase = int(random.integers(2**31)), float(random.random())
    held = Acquisition(patient, view, machine, seed=seed, contrast=contrast, size=shape)
    image = held.scanner.frame(patient.heart, phase, contrast=contrast)
    beat = patient.parameters.heart_rate
    return resized(overlays.draw(image[None], held.scanner, [phase], END_SYSTOLE, heart_rate_bpm=beat)[0], size)


def as_set_by_someone(machine: Machine, random: np.random.Generator) -> Machine:
    """A machine with its knobs turned, its marks switched off in half of the cases."""
    return replace(
        machine,
        marks=machine.marks if random.random() < MARKED else (),
        width_deg=machine.width_deg * random.uniform(0.8, 1.1),
        gamma=machine.gamma * random.uniform(0.8, 1.25),
        dynamic_range_db=machine.dynamic_range_db * random.uniform(0.85, 1.1),
        noise_db=machine.noise_db + random.normal(0, 4),
    )


def _shape(machine: Machine, size: int) -> tuple[int, int]:
    """The machine's own (height, width), its shorter side as long as the square's."""
    scale = size / min(machine.image_size)
    return round(machine.image_size[0] * scale), round(machine.image_size[1] * scale)
