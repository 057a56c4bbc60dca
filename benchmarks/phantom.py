"""The heart phantom against what is claimed of it: its speed, the memory of a stream, and how right its truth is."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Measured, Row, at_most, told
from benchmarks.phantom_geometry import measure_geometry
from benchmarks.processes import Watched, watch

if TYPE_CHECKING:
    from shared_models.phantom.study import Acquisition

SIDE = 112
VIEWS = ("A4C", "A2C", "PLAX", "PSAX-PM", "SC-4C")
FRAMES = 64
STREAMED = 5  # frames of each clip on its way to disk
EDGE = 64
TURNS = 3  # of which the fastest counts, so that what else the machine does matters little
MIB = 2**20
NOTE = (
    "All of it is computed on the phantom. Times of frames, clips and volumes are of the processor, one thread: wall "
    "time on a core of its own. A new acquisition is a patient never seen before: the heart, the plane, the beams and "
    "the scanner's noise are made anew, then one frame with image, label map, sector and contour. The arrays of a "
    "112 × 112 frame fit a core's second-level cache, so main memory is no limit; a frame goes over them as often as "
    "additions of two such arrays fit into its time. One compiled pass would do the same arithmetic several times "
    "faster, at the price of a compiler."
)


def measure(*, quick: bool) -> Measured:
    """All claims of the phantom."""
    parts = [_frames(quick), _three_dimensions(quick), _streaming(quick), measure_geometry(quick=quick)]
    return Measured(
        rows=tuple(row for part in parts for row in part.rows),
        claims=tuple(claim for part in parts for claim in part.claims),
        notes=(NOTE,),
    )


def _processor(action: Callable[[], object], turns: int = 0) -> float:
    """Seconds of the processor, of the fastest of some runs."""
    taken = []
    for _ in range(turns or TURNS):
        start = time.process_time()
        action()
        taken.append(time.process_time() - start)
    return min(taken)


def _machines() -> list[str]:
    from shared_models.phantom.machines import MACHINES

    return [name for name, machine in MACHINES.items() if machine.geometry != "linear"]


def _acquisition(seed: int, view: str, machine: str, size: tuple[int, int] | None) -> Acquisition:
    from shared_models.phantom.patients import draw_patient
    from shared_models.phantom.population import POPULATIONS
    from shared_models.phantom.study import Acquisition

    return Acquisition(draw_patient(seed, list(POPULATIONS)[seed % 3]), view, machine, seed=seed, size=size)


def _first_frames(seeds: Iterator[int], view: str, machine: str, size: tuple[int, int] | None) -> Callable[[], object]:
    """The first frame of another patient at each call."""
    return lambda: next(_acquisition(next(seeds), view, machine, size).frames([0.2]))


def _frames(quick: bool) -> Measured:
    from shared_models.phantom.machines import machine_named
    from shared_models.phantom.study import acquire

    machines, seeds = _machines()[: 2 if quick else None], count()
    pairs = [(view, machine) for machine in machines for view in VIEWS[: 2 if quick else None]]
    small = [_processor(_first_frames(seeds, *pair, (SIDE, SIDE))) for pair in pairs]
    whole = [_processor(_first_frames(seeds, VIEWS[0], machine, None)) for machine in machines]
    frames = 8 if quick else FRAMES
    held = _acquisition(next(seeds), "A4C", "godwit", None).patient
    clips = [
        _processor(partial(acquire, held, "A4C", machine, frames=frames, size=(SIDE, SIDE))) for machine in machines
    ]
    rows: list[Row] = []
    for number, machine in enumerate(machines):
        own = [time for time, pair in zip(small, pairs, strict=True) if pair[1] == machine]
        height, width = machine_named(machine).image_size
        rows.append(
            {
                "table": f"One frame of a new acquisition with its truth, milliseconds; median of {len(own)} views",
                "machine": machine,
                f"{SIDE} × {SIDE}": 1000 * float(np.median(own)),
                f"within a clip of {frames}": 1000 * clips[number] / frames,
                "own size": f"{height} × {width}",
                "at that, A4C": 1000 * whole[number],
            }
        )
    claims = (
        at_most(f"{SIDE} × {SIDE} frame with its truth, new acquisition, slowest", 1000 * max(small), "ms", 25.0),
        told("the same, median over views and machines", 1000 * _median(small), "ms"),
        at_most("the same within a clip, median over machines", 1000 * _median(clips) / frames, "ms", 25.0),
        at_most(f"clip of {frames} frames, slowest machine", max(clips), "s", 1.2),
    )
    parts = [_parts("godwit", (SIDE, SIDE)), _parts("albatross", None)]
    return Measured(rows=(*rows, *parts), claims=claims)


def _median(values: list[float]) -> float:
    return float(np.median(values))


def _parts(machine: str, size: tuple[int, int] | None) -> Row:
    """Where the time of one frame goes; differences of what contains one another, in milliseconds."""
    from shared_models.long_axis import seven_points
    from shared_models.phantom.contour import endocardial_curve

    held, phase = _acquisition(1, "A4C", machine, size), 0.2
    heart, scanner = held.patient.heart, held.scanner
    pixels = scanner.pixel_points()[scanner.sector.ravel()]

    def contour() -> object:
        curve = endocardial_curve(heart, held.plane, phase)
        return None if curve is None else seven_points(curve)

    samples = np.ones(len(scanner.beam_points), np.float32)
    actions: list[Callable[[], object]] = [
        lambda: next(held.frames([phase])),
        lambda: scanner.frame(heart, phase),
        lambda: heart.tissue(scanner.beam_points, phase),
        lambda: heart.motion.locate(scanner.beam_points, phase),
        lambda: heart.labels(pixels, phase),
        contour,
        lambda: [np.add(samples, samples) for _ in range(1000)],
    ]
    whole, image, tissue, motion, marks, line, addition = (_processor(action, 3 * TURNS) for action in actions)
    return {
        "table": "Where the time of one A4C frame within a clip goes, milliseconds",
        "machine": machine,
        "samples": len(samples),
        "motion": 1000 * motion,
        "tissue": 1000 * (tissue - motion),
        "scanner": 1000 * (image - tissue),
        "label map": 1000 * marks,
        "contour": 1000 * line,
        "marks on the image and set-up": 1000 * max(whole - image - marks - line, 0.0),
        "whole": 1000 * whole,
        "nanoseconds a sample": 1e9 * whole / len(samples),
        "of one addition": 1e6 * addition / len(samples),
    }


def _three_dimensions(quick: bool) -> Measured:
    from shared_models.phantom.motion import END_SYSTOLE
    from shared_models.phantom.patients import draw_patient
    from shared_models.phantom.volumes import bounding_grid, displacement, nine_planes, wall_occupancy

    seeds, edge = count(), 32 if quick else EDGE

    def truth() -> None:
        heart = draw_patient(next(seeds)).heart
        grid = bounding_grid(heart, edge)
        wall_occupancy(heart, 0.0, grid)
        nine_planes(heart, 0.0)
        displacement(heart, END_SYSTOLE, grid)

    name = f"3D truth of a new patient: occupancy at {edge}³, nine planes, displacement field at {edge}³"
    return Measured(rows=(), claims=(at_most(name, _processor(truth), "s", 2.0),))


def _streaming(quick: bool) -> Measured:
    """Images with their truth to disk by the command, few and ten times as many."""
    few, many = (_streamed(patients) for patients in ((2, 20) if quick else (40, 400)))
    frames = [patients * len(VIEWS) * STREAMED for patients in ((2, 20) if quick else (40, 400))]
    claims = (
        at_most(
            f"memory while {frames[1]:,} frames go to disk, over that of a tenth of them",
            many.peak_bytes / few.peak_bytes,
            "times",
            1.1,
        ),
        told("frames a second to disk with their truth, one process, start included", frames[1] / many.seconds, ""),
    )
    rows: tuple[Row, ...] = tuple(
        {
            "table": "Frames with their truth, streamed to disk",
            "frames": number,
            "wall, s": watched.seconds,
            "memory, MiB": watched.peak_bytes / MIB,
        }
        for number, watched in zip(frames, (few, many), strict=True)
    )
    return Measured(rows=rows, claims=claims)


def _streamed(patients: int) -> Watched:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "consilium", "phantom", "generate", "--site", "speed", "--truth"]
        command += ["--patients", str(patients), "--views", ",".join(VIEWS), "--frames", str(STREAMED)]
        command += ["--machine", "godwit", "--population", "healthy", "--out", str(Path(folder) / "out")]
        return watch(command, Path(folder) / "log")
