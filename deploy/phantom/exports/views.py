"""Pictures of named views from which a heart is reconstructed: a folder a heart and moment, with the true surface."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.phantom.acquisition import told
from deploy.phantom.exports.layout import ExportOrder, Layout, patient_of
from deploy.phantom.tables import csv_file, decimal
from deploy.phantom.workplace import File, Line, Lines

TRUTH = "truth.csv"
COLUMNS = ("folder", "patient", "moment", "pixel_mm", "lv_volume_ml")
ABOUT = """\
Pictures of walls, grey by chamber, in the nine planes from which hearts are reconstructed, off by a pose and an
operator's hand: PATIENT-MOMENT/VIEW.png, of 224 pixels a side whatever --size says. Beside them lies walls.stl, the
true surface in millimetres. truth.csv has the edge of a pixel and the volume of the left ventricle's blood."""


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """One patient's heart at both ends of the beat."""
    from shared_models.reconstruction.shape_examples import MOMENTS, ShapePlan, shape_example
    from shared_models.reconstruction.surface import stl_bytes, surface
    from site_agent.training_report.page import png

    patient, key = patient_of(order, number), f"PHANTOM-{number:05d}"
    for moment in MOMENTS:
        with told("phantom"):
            example = shape_example(patient, moment, ShapePlan())
            mesh = surface(example.target, example.spacing_mm)
        folder = f"{key}-{moment}"
        for view, plane in zip(example.views, example.greys, strict=True):
            yield File(f"{folder}/{view.replace(' ', '-')}.png", png(plane))
        yield File(f"{folder}/walls.stl", stl_bytes(mesh))
        pixel, volume = decimal(float(example.picture_mm[0]), 4), decimal(example.lv_volume_ml, 2)
        yield Line(TRUTH, (folder, key, moment, pixel, volume))


def tables(_order: ExportOrder, lines: Lines) -> Iterator[File]:
    """The truth of every heart."""
    yield csv_file(TRUTH, COLUMNS, lines(TRUTH))


LAYOUT = Layout(ABOUT, patient_files, tables)
