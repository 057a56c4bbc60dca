"""EchoNet-Pediatric: apical four-chamber and short-axis clips with the outline of the ventricle at two frames."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import ExportOrder, Layout, patient_of, record
from deploy.phantom.pictures import MOTION_JPEG, cine
from deploy.phantom.seeds import name_of
from deploy.phantom.tables import csv_file, decimal
from deploy.phantom.tracings import outline, thinned
from deploy.phantom.workplace import File, Line, Lines
from shared_models.phantom.labels import LV

ROOT = "pediatric_echo_avi"
SHOTS = {"A4C": Shot("A4C"), "PSAX": Shot("PSAX-PM")}
MACHINE, SIZE = "godwit", 112
FOLDS = 10
POINTS = 32
FILES, TRACINGS = "FileList.csv", "VolumeTracings.csv"
FILE_COLUMNS = ("FileName", "EF", "Sex", "Age", "Weight", "Height", "Split")
TRACING_COLUMNS = ("FileName", "X", "Y", "Frame")
ABOUT = f"""\
The layout of EchoNet-Pediatric: {ROOT}/A4C and {ROOT}/PSAX, each with FileList.csv, VolumeTracings.csv and
Videos/. Tracings are the outline of the left ventricle at end-systole and at end-diastole; Split is one of
ten folds; frames count from 0. Ages are those of the phantom's adults: it has no children."""


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """Both clips of one patient."""
    patient = patient_of(order, number)
    person = patient.sex, *(decimal(value, 1) for value in (patient.age, patient.weight_kg, patient.height_cm))
    for view, shot in SHOTS.items():
        clip = record(order, number, patient, shot, MACHINE, size=(SIZE, SIZE))
        name = f"CR{name_of(order.seed, number, view)[:8].lower()}-{number:06d}.avi"
        yield File(f"{ROOT}/{view}/Videos/{name}", cine(clip.images, round(clip.take.rate_hz), MOTION_JPEG))
        fold = str((number - 1) % FOLDS)
        yield Line(f"{view}/{FILES}", (name, decimal(clip.ejection_fraction, 6), *person, fold))
        for frame in (clip.take.end_systole, clip.take.end_diastole):
            mask = clip.labels[frame] == LV
            for x, y in thinned(outline(mask), POINTS) if mask.any() else ():
                yield Line(f"{view}/{TRACINGS}", (name, decimal(x, 3), decimal(y, 3), str(frame)))


def tables(_order: ExportOrder, lines: Lines) -> Iterator[File]:
    """Two tables for each view."""
    for view in SHOTS:
        yield csv_file(f"{ROOT}/{view}/{FILES}", FILE_COLUMNS, lines(f"{view}/{FILES}"))
        yield csv_file(f"{ROOT}/{view}/{TRACINGS}", TRACING_COLUMNS, lines(f"{view}/{TRACINGS}"))


LAYOUT = Layout(ABOUT, patient_files, tables)
