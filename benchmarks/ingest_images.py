"""Files to measure the taking-in with: few phantom acquisitions, each many times over with noise of its own."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE = 112
RATE_HZ = 30.0
NOISE = 2.0  # grey levels
VIEWS = ("A4C", "A2C", "PLAX", "PSAX-PM")
MACHINES = ("bittern", "fulmar", "albatross", "eider")
Frames = NDArray[np.uint8]


@cache
def acquisitions(number: int, frames: int) -> tuple[Frames, ...]:
    """Clips of patients that differ, (T, 112, 112) each, with the machines' marks."""
    from shared_models.phantom.patients import draw_patient
    from shared_models.phantom.study import acquire

    return tuple(
        acquire(
            draw_patient(seed, "healthy"),
            VIEWS[seed % len(VIEWS)],
            MACHINES[seed // len(VIEWS) % len(MACHINES)],
            frames=frames,
            seed=seed,
            size=(SIDE, SIDE),
        ).images
        for seed in range(number)
    )


def variants(number: int, frames: int, base: int) -> Iterator[tuple[int, Frames]]:
    """(patient, clip): the acquisitions in turn, with noise where there is an echo."""
    clips = acquisitions(min(base, number), frames)
    rng = np.random.default_rng(1993)
    for place in range(number):
        clip = clips[place % len(clips)]
        noisy = np.clip(clip + rng.normal(0.0, NOISE, clip.shape), 0, 255)
        yield place % len(clips), np.where(clip > 0, noisy, 0).astype(np.uint8)


def write_stills(folder: Path, number: int, base: int) -> Path:
    """PNG files with an index; returns the folder."""
    from deploy.phantom.pictures import png

    lines = []
    for place, (patient, frames) in enumerate(variants(number, 1, base)):
        name = f"{place // 1000:03d}/{place:06d}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(frames[0]))
        lines.append((name, _code(patient), f"P{patient}", ""))
    return _indexed(folder, lines)


def write_clips(folder: Path, number: int, frames: int, base: int) -> Path:
    """As many AVI files (Motion JPEG) and DICOM clips (in turn: JPEG, RLE, plain) with an index; returns the folder."""
    from deploy.phantom.pictures import cine

    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for place, (patient, clip) in enumerate(variants(number, frames, base)):
        name = f"{place:06d}.{'avi' if place % 2 else 'dcm'}"
        data = cine(clip, RATE_HZ, "mjpeg") if place % 2 else _dicom(clip, place)
        (folder / name).write_bytes(data)
        lines.append((name, _code(patient), f"P{patient}", f"c{place}"))
    return _indexed(folder, lines)


def _code(patient: int) -> str:
    from shared_models.phantom.views import VIEWS as ALL

    return ALL[VIEWS[patient % len(VIEWS)]].code


def _dicom(clip: Frames, place: int) -> bytes:
    from deploy.phantom.acquisition import Shot
    from deploy.phantom.dicom import ENCODINGS, Instance, Person, dicom_bytes

    return dicom_bytes(
        Instance(
            person=Person(place, "F", 50.0, 1.7, 70.0),
            seed=1,
            number=1,
            shot=Shot("A4C"),
            machine="bittern",
            frequency_mhz=3.0,
            frames=clip,
            box=(0, 0, SIDE - 1, SIDE - 1),
            spacing_mm=1.0,
            rate_hz=RATE_HZ,
            heart_rate=60.0,
            encoding=ENCODINGS[place // 2 % len(ENCODINGS)],
        )
    )


def _indexed(folder: Path, lines: Sequence[tuple[str, str, str, str]]) -> Path:
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "patient", "clip"))
        writer.writerows(lines)
    return folder
