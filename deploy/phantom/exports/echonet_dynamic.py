"""EchoNet-Dynamic: apical four-chamber clips of 112x112 pixels with traced end-systole and end-diastole."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import ExportOrder, Layout, axis_of, part_of, patient_of, record, volumes
from deploy.phantom.pictures import MOTION_JPEG, cine
from deploy.phantom.seeds import name_of
from deploy.phantom.tables import csv_file, decimal
from deploy.phantom.tracings import chords
from deploy.phantom.workplace import File, Line, Lines
from shared_models.phantom.labels import LV

MACHINE, SIZE = "godwit", 112
FILES, TRACINGS = "FileList.csv", "VolumeTracings.csv"
FILE_COLUMNS = ("FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split")
TRACING_COLUMNS = ("FileName", "X1", "Y1", "X2", "Y2", "Frame")
ABOUT = """\
The layout of EchoNet-Dynamic: FileList.csv, VolumeTracings.csv and Videos/. Of every traced frame the first
line is the long axis from the apex to the base and twenty chords follow, from the apex to the base;
end-systole stands before end-diastole, and frames count from 0. EF, ESV and EDV are those of the whole
ventricle, not of the tracing."""


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """The clip of one patient, its line, and the tracings of two frames."""
    clip = record(order, number, patient_of(order, number), Shot("A4C"), MACHINE, size=(SIZE, SIZE))
    name = f"0X{name_of(order.seed, number, 'name')}"
    count, height, width = clip.images.shape
    rate = round(clip.take.rate_hz)
    yield File(f"Videos/{name}.avi", cine(clip.images, rate, MOTION_JPEG))
    diastolic, systolic = volumes(clip)
    measures = tuple(decimal(value, 6) for value in (clip.ejection_fraction, systolic, diastolic))
    sizes = str(height), str(width), str(rate), str(count)
    yield Line(FILES, (name, *measures, *sizes, part_of(number).upper()))
    for frame in (clip.take.end_systole, clip.take.end_diastole):
        axis, mask = axis_of(clip, frame), clip.labels[frame] == LV
        for segment in (axis, *chords(mask, axis)) if mask.any() else ():
            yield Line(TRACINGS, (f"{name}.avi", *(decimal(value, 6) for value in segment), str(frame)))


def tables(_order: ExportOrder, lines: Lines) -> Iterator[File]:
    """The list of files and that of tracings."""
    yield csv_file(FILES, FILE_COLUMNS, lines(FILES))
    yield csv_file(TRACINGS, TRACING_COLUMNS, lines(TRACINGS))


LAYOUT = Layout(ABOUT, patient_files, tables)
