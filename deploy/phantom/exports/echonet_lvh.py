"""EchoNet-LVH: parasternal long-axis clips with the thickness of walls and the width of the cavity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import ExportOrder, Layout, axis_of, part_of, patient_of, record
from deploy.phantom.pictures import MOTION_JPEG, cine
from deploy.phantom.seeds import name_of
from deploy.phantom.tables import csv_file, decimal
from deploy.phantom.tracings import Segment, walls
from deploy.phantom.workplace import File, Line, Lines

if TYPE_CHECKING:
    from deploy.phantom.acquisition import Recording

MACHINES = ("bittern", "albatross", "eider")
BATCHES = 4
LEVEL = 0.35  # of the long axis from the base: where the leaflets end
MM_PER_CM = 10.0
MEASUREMENTS = "MeasurementsList.csv"
COLUMNS = (
    "",
    "HashedFileName",
    "Calc",
    "CalcValue",
    "Frame",
    "X1",
    "X2",
    "Y1",
    "Y2",
    "Frames",
    "FPS",
    "Width",
    "Height",
    "split",
)
CALCS = {"IVS": "upper", "LVID": "cavity", "LVPW": "lower"}
ABOUT = f"""\
The layout of EchoNet-LVH: Batch1 to Batch4 and {MEASUREMENTS}, whose first column is the number of the row.
IVSd, LVIDd and LVPWd are measured at end-diastole and LVIDs at end-systole, in cm, square to the long axis
at {LEVEL:.0%} of it from the base; frames count from 0. The size of the frames varies from clip to clip."""


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """The clip of one patient and its four measurements."""
    machine = MACHINES[number % len(MACHINES)]
    clip = record(order, number, patient_of(order, number), Shot("PLAX"), machine)
    name = f"0X{name_of(order.seed, number, 'name')}"
    rate = round(clip.take.rate_hz)
    yield File(f"Batch{(number - 1) % BATCHES + 1}/{name}.avi", cine(clip.images, rate, MOTION_JPEG))
    count, height, width = map(str, clip.images.shape)
    for calc, frame, segment in measurements(clip):
        value = decimal(segment.length * clip.take.spacing_mm / MM_PER_CM)
        ends = tuple(decimal(end, 2) for end in (segment.x1, segment.x2, segment.y1, segment.y2))
        cells = (name, calc, value, str(frame), *ends, count, str(rate), width, height, part_of(number))
        yield Line(MEASUREMENTS, cells)


def measurements(clip: Recording) -> list[tuple[str, int, Segment]]:
    """Name, frame and line of every measurement that the clip allows."""
    found = []
    for letter, frame in (("d", clip.take.end_diastole), ("s", clip.take.end_systole)):
        parts = walls(clip.labels[frame], axis_of(clip, frame), LEVEL)
        found += [(f"{calc}{letter}", frame, parts[part]) for calc, part in CALCS.items() if part in parts]
    return [each for each in found if each[0] in {"IVSd", "LVIDd", "LVPWd", "LVIDs"}]


def tables(_order: ExportOrder, lines: Lines) -> Iterator[File]:
    """One list of all measurements."""
    rows = ((str(row), *cells) for row, cells in enumerate(lines(MEASUREMENTS)))
    yield csv_file(MEASUREMENTS, COLUMNS, rows)


LAYOUT = Layout(ABOUT, patient_files, tables)
