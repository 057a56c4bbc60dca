"""Sweeps along the thigh at three visits, as the study of muscle views keeps them: a video and a JSON file a visit.

The layout is that of the published study of muscle view retrieval: ``<group>/<patient>/<visit>/<video>.mp4`` and a JSON
file of the same name with one annotation a section, a leg each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from deploy.phantom.acquisition import told
from deploy.phantom.exports.layout import ExportOrder, Layout
from deploy.phantom.pictures import MPEG4, cine
from deploy.phantom.seeds import seed_of
from deploy.phantom.tables import csv_file, decimal, json_file
from deploy.phantom.workplace import File, Line, Lines

if TYPE_CHECKING:
    from shared_models.phantom.muscle import Sweep

SIZE, RATE_HZ = 256, 40
TRUTH = "truth.csv"
COLUMNS = ("video", "frame", "label", "position_mm", "standard", "area_mm2", "spacing_mm")
ABOUT = """\
Sweeps of a probe along both thighs at three visits: <group>/<patient>/<visit>/<video>.mp4 with a JSON file that
says where each leg's section begins and ends (label l or r). A section ends in the frozen standard view. truth.csv
has, for every frame, where along the thigh it was taken and the section of the rectus femoris there. Real sections
have 150 frames or more, these as many as were asked for."""


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """Three visits of one patient; the groups take turns."""
    from shared_models.phantom.muscle import GROUPS, SIDES, VISITS, draw_muscle_patient, sweep

    group = list(GROUPS)[(number - 1) % len(GROUPS)]
    side = order.size or SIZE
    with told("phantom"):
        patient = draw_muscle_patient(seed_of(order.seed, number, "muscle"), group)
        for visit in VISITS:
            seed = seed_of(order.seed, number, visit)
            sweeps = [sweep(patient, leg, visit, frames=order.frames, seed=seed, size=(side, side)) for leg in SIDES]
            name = f"{group}/{number:03d}/{visit}/{number:03d}-{visit}"
            yield File(f"{name}.mp4", cine(np.concatenate([one.images for one in sweeps]), RATE_HZ, MPEG4))
            yield json_file(f"{name}.json", _annotations(f"{name.rpartition('/')[2]}.mp4", sweeps))
            yield from _truth(f"{name}.mp4", sweeps)


def _annotations(video: str, sweeps: list[Sweep]) -> dict[str, object]:
    """What a person marked in the real videos: sections, and which leg each shows."""
    sections, begin = [], 0
    for one in sweeps:
        end = begin + len(one.images)
        sections.append(
            {
                "start_frame_idx": begin,
                "end_frame_idx": end - 1,
                "start_time": _clock(begin),
                "end_time": _clock(end - 1),
                "number_of_frames": end - begin,
                "no_counter_imgs": end - begin,
                "label": one.side,
            }
        )
        begin = end
    return {"video_file_name": video, "annotations": sections}


def _clock(frame: int) -> str:
    """Minutes, seconds and milliseconds."""
    minutes, rest = divmod(round(1000 * frame / RATE_HZ), 60_000)
    return f"{minutes:02d}:{rest // 1000:02d}:{rest % 1000:03d}"


def _truth(video: str, sweeps: list[Sweep]) -> Iterator[Line]:
    frame = 0
    for one in sweeps:
        for position, standard, area in zip(one.positions_mm, one.standard, one.area_mm2, strict=True):
            measures = decimal(position, 2), str(int(standard)), decimal(area, 2), decimal(one.spacing_mm, 5)
            yield Line(TRUTH, (video, str(frame), one.side, *measures))
            frame += 1


def tables(_order: ExportOrder, lines: Lines) -> Iterator[File]:
    """The truth of every frame."""
    yield csv_file(TRUTH, COLUMNS, lines(TRUTH))


LAYOUT = Layout(ABOUT, patient_files, tables)
