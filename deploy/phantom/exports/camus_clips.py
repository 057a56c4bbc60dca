"""What both releases of CAMUS have in common: two apical views over half a beat, with the numbers of two frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import ExportOrder, patient_of, record
from deploy.phantom.seeds import share_of
from shared_models.phantom.labels import LA, LV, MYOCARDIUM
from shared_models.phantom.motion import END_SYSTOLE

if TYPE_CHECKING:
    from deploy.phantom.acquisition import Recording
    from shared_models.phantom.patients import Patient

Gray = NDArray[np.uint8]

SHOTS = {"2CH": Shot("A2C"), "4CH": Shot("A4C")}
QUALITIES = {"Good": "albatross", "Medium": "bittern", "Poor": "curlew"}  # and the machine that gives it
QUALITY_SHARES = (("Good", 0.5), ("Medium", 0.9), ("Poor", 1.0))  # cumulative
FILLING = 0.2  # of the patients are recorded from end-systole to end-diastole
VALUES = {LV: 1, MYOCARDIUM: 2, LA: 3}


@dataclass(frozen=True)
class HalfBeat:
    """One view of one patient.

    Attributes:
        view: ``2CH`` or ``4CH``.
        images: (T, H, W), 0 outside the sector.
        truth: (T, H, W) values of CAMUS: 0 background, 1 cavity, 2 myocardium, 3 left atrium.
        diastole, systole: numbers of the two frames, counted from 0.
        quality: a word of CAMUS.
        patient: whose.
        clip: as it was acquired.
    """

    view: str
    images: Gray
    truth: Gray
    diastole: int
    systole: int
    quality: str
    patient: Patient
    clip: Recording

    @property
    def moments(self) -> dict[str, int]:
        """``ED`` and ``ES`` with their frames."""
        return {"ED": self.diastole, "ES": self.systole}


def half_beats(order: ExportOrder, number: int) -> Iterator[HalfBeat]:
    """Both views of a patient."""
    patient = patient_of(order, number)
    chance = share_of(order.seed, number, "quality")
    quality = next(word for word, reached in QUALITY_SHARES if chance < reached)
    filling = share_of(order.seed, number, "filling") < FILLING
    count = max(2, order.frames // 2)
    for view, shot in SHOTS.items():
        clip = record(order, number, patient, shot, QUALITIES[quality], frames=half_phases(count, filling=filling))
        first, last = 0, count - 1
        yield HalfBeat(
            view=view,
            images=clip.masked,
            truth=camus_values(clip.labels),
            diastole=last if filling else first,
            systole=first if filling else last,
            quality=quality,
            patient=patient,
            clip=clip,
        )


def half_phases(count: int, *, filling: bool) -> list[float]:
    """Phases from end-diastole to end-systole, or from there to the next end-diastole."""
    phases = np.linspace(END_SYSTOLE, 1.0, count) if filling else np.linspace(0.0, END_SYSTOLE, count)
    return [float(phase) % 1.0 for phase in phases]


def camus_values(labels: Gray) -> Gray:
    """Label maps in the values of CAMUS."""
    table = np.zeros(256, np.uint8)
    for ours, theirs in VALUES.items():
        table[ours] = theirs
    return table[labels]


def cfg_lines(beat: HalfBeat) -> list[str]:
    """The lines of ``Info_*.cfg`` that both releases have; frames count from 1."""
    return [
        f"ED: {beat.diastole + 1}",
        f"ES: {beat.systole + 1}",
        f"NbFrame: {len(beat.images)}",
        f"Sex: {beat.patient.sex}",
        f"Age: {beat.patient.age:.0f}",
        f"ImageQuality: {beat.quality}",
    ]


def rate_line(beat: HalfBeat) -> str:
    """Frames a second."""
    return f"FrameRate: {beat.clip.take.rate_hz:.1f}"
