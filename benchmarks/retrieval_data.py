"""Sweeps along simulated thighs at three hospitals, as retrieval reads them: frames, clips, and what is true.

Hospitals differ in whom they treat and in how their machine turns echoes into greys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.clip_windows import CLIP, STEP, Clips, Rows, standard_windows, starts, still, windows
from shared_models.phantom.muscle import SIDES, VISITS, draw_muscle_patient, sweep
from shared_models.phantom.thigh import RECTUS_FEMORIS
from shared_models.retrieval_pairs import Labelled
from site_agent.progress import track

SITES = ("north", "middle", "south")
GROUP_OF_SITE = (("CNS",), ("CNS", "TETANUS"), ("TETANUS",))
GREYS = (1.0, 1.4, 0.7)  # exponents of grey levels from 0 to 1
IMAGE = 64  # pixels along an edge
FIRST_SEED, SWEEP_SEED = 5000, 5  # other patients than those by whom settings were chosen
MIDDLE = CLIP // 2


@dataclass(frozen=True)
class Sweep:
    """One leg at one visit.

    Attributes:
        patient, site: numbers.
        right: whether it is the right leg.
        visit: 0, 1 or 2.
        images: (T, IMAGE, IMAGE) of the rectus femoris and what is around it.
        muscle: (T, IMAGE, IMAGE) where the rectus femoris is.
        apart_mm: (T,) distance along the thigh from the standard site, signed.
        frozen: (T,) whether the picture is held.
    """

    patient: int
    site: int
    right: bool
    visit: int
    images: Clips
    muscle: NDArray[np.bool_]
    apart_mm: NDArray[np.float64]
    frozen: NDArray[np.bool_]

    def area(self, frame: int) -> int:
        """Pixels of the muscle in a frame; they are of one size at all visits of a leg."""
        return int(self.muscle[frame].sum())


@dataclass(frozen=True)
class Cohort:
    """All sweeps, and their clips.

    Attributes:
        sweeps: in the order of patients; a clip's section is the number of its sweep.
        labelled: clips of CLIP frames, every STEP frames.
        starts: (n,) the first frame of each.
    """

    sweeps: tuple[Sweep, ...]
    labelled: Labelled
    starts: Rows

    @property
    def patients(self) -> Rows:
        """Their numbers."""
        return np.unique([each.patient for each in self.sweeps])

    def of_site(self, patients: Rows, site: int) -> Rows:
        """Those of some patients that a site treats."""
        return patients[patients % len(SITES) == site]

    def clips_of(self, sweep: int, *, moving: bool) -> Rows:
        """Numbers of a sweep's clips; where asked for, those without a frame of the frozen picture."""
        rows = np.flatnonzero(self.labelled.sections == sweep)
        frozen = self.sweeps[sweep].frozen
        return np.array([row for row in rows if not moving or not frozen[self._frames(row)].any()], dtype=np.int64)

    def frame_of(self, clip: int) -> int:
        """The frame in the middle of a clip."""
        return int(self.starts[clip]) + MIDDLE

    def _frames(self, clip: int | np.integer) -> slice:
        return slice(int(self.starts[clip]), int(self.starts[clip]) + CLIP)


def cohort(patients: int, frames: int) -> Cohort:
    """So many patients, the hospitals in turn; both legs at three visits, so many frames a sweep."""
    every = track(range(patients), total=patients, what="patients")
    sweeps = tuple(one for number in every for one in _sweeps(number, frames))
    return Cohort(sweeps, *_clips(sweeps))


def _sweeps(number: int, frames: int) -> Iterator[Sweep]:
    site, turn = number % len(SITES), number // len(SITES)
    groups = GROUP_OF_SITE[site]
    patient = draw_muscle_patient(FIRST_SEED + number, groups[turn % len(groups)])
    for visit, name in enumerate(VISITS):
        for side in SIDES:
            taken = sweep(patient, side, name, frames=frames, seed=SWEEP_SEED, size=(IMAGE, IMAGE))
            images = (255 * (taken.images / 255.0) ** GREYS[site]).round().astype(np.uint8)
            yield Sweep(
                patient=number,
                site=site,
                right=side == "r",
                visit=visit,
                images=images,
                muscle=taken.labels == RECTUS_FEMORIS,
                apart_mm=taken.positions_mm - taken.standard_mm,
                frozen=taken.standard,
            )


def _clips(sweeps: Sequence[Sweep]) -> tuple[Labelled, Rows]:
    clips = [windows(each.images, CLIP, STEP) for each in sweeps]
    held = [standard_windows(still(each)) for each in clips]
    counts = [len(each) for each in clips]
    labelled = Labelled(
        clips=np.concatenate(clips),
        patients=np.repeat([each.patient for each in sweeps], counts),
        sections=np.repeat(np.arange(len(sweeps)), counts),
        right=np.repeat([each.right for each in sweeps], counts),
        standard=np.concatenate(held),
    )
    return labelled, np.concatenate([starts(len(each.images), CLIP, STEP) for each in sweeps])
