"""Hearts in three dimensions, as sites take them in: a file a heart and moment, with nine planes and the volume."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from deploy.phantom.acquisition import told
from deploy.phantom.exports.layout import ExportOrder, Layout, patient_of
from deploy.phantom.tables import csv_file, decimal
from deploy.phantom.workplace import File, Line, Lines

USUAL_EDGE = 64
TRUTH = "truth.csv"
COLUMNS = ("file", "patient", "moment", "lv_volume_ml")
ABOUT = """\
Hearts in three dimensions: PATIENT-ED.npz and PATIENT-ES.npz hold pictures of the nine planes in which reconstruction
is learnt, off by a pose and an operator's hand, and the walls of the whole heart as a cube of voxels; --size names its
side, 32, 64 or 128. truth.csv has the volume of the left ventricle's blood."""


def edge_of(order: ExportOrder) -> int:
    """Voxels a side: the largest that is known and not larger than what was asked for."""
    from shared_models.reconstruction.shape_examples import EDGES

    return USUAL_EDGE if order.size is None else max(edge for edge in EDGES if edge <= max(order.size, EDGES[0]))


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """One patient's heart at both ends of the beat."""
    from shared_models.reconstruction.shape_examples import MOMENTS, ShapePlan, shape_example
    from shared_models.reconstruction.shape_folder import write_example

    patient, plan = patient_of(order, number), ShapePlan(edge=edge_of(order))
    key = f"PHANTOM-{number:05d}"
    for moment in MOMENTS:
        with told("phantom"), tempfile.TemporaryDirectory() as folder:
            example = replace(shape_example(patient, moment, plan), patient=key)
            path = Path(folder) / f"{key}-{moment}.npz"
            write_example(path, example)
            yield File(path.name, path.read_bytes())
        yield Line(TRUTH, (path.name, key, moment, decimal(example.lv_volume_ml, 2)))


def tables(_order: ExportOrder, lines: Lines) -> Iterator[File]:
    """The truth of every heart."""
    yield csv_file(TRUTH, COLUMNS, lines(TRUTH))


LAYOUT = Layout(ABOUT, patient_files, tables)
