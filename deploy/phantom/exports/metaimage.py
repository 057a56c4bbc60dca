"""MetaImage as research scanners write it: a clip and its labels, raw or compressed, with an index beside."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import ExportOrder, Layout, patient_of, record
from deploy.phantom.meta_image import meta_image
from deploy.phantom.tables import csv_file, decimal
from deploy.phantom.workplace import File, Line, Lines

SHOTS = (Shot("A4C"), Shot("PSAX-PM"), Shot("A2C", contrast=True))
MACHINE = "curlew"
INDEX = "index.csv"
COLUMNS = ("path", "label", "patient", "site", "clip", "view", "spacing_mm", "ejection_fraction")
ABOUT = f"""\
MetaImage clips of (frames, height, width) bytes with the side of a pixel in mm, listed in {INDEX} (where
label is the view's code); of two clips the bytes are compressed, of every third they are not. Beside each
lies NAME_labels.mhd: 0 outside the sector, 1 background inside it, 2 left ventricle, 3 myocardium, 4 left
atrium, 5 right ventricle, 6 right atrium, 7 aorta. The scanner's marks are left in the images."""


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """A clip of each view and its label maps."""
    patient = patient_of(order, number)
    name = f"phantom{number:05d}"
    for place, shot in enumerate(SHOTS):
        clip = record(order, number, patient, shot, MACHINE, marks=True)
        stem, spacing = f"{name}/{name}_{shot.name.replace('+', '-')}", (clip.take.spacing_mm, clip.take.spacing_mm)
        compressed = (number + place) % len(SHOTS) != 0
        yield from meta_image(f"{stem}.mhd", clip.images, spacing, compressed=compressed)
        yield from meta_image(f"{stem}_labels.mhd", clip.labels, spacing, compressed=compressed)
        words = f"{stem}.mhd", shot.label, name, "phantom", f"{name}/{shot.name}", shot.name
        yield Line(INDEX, (*words, decimal(clip.take.spacing_mm, 6), decimal(clip.ejection_fraction, 3)))


def tables(_order: ExportOrder, lines: Lines) -> Iterator[File]:
    """The index."""
    yield csv_file(INDEX, COLUMNS, lines(INDEX))


LAYOUT = Layout(ABOUT, patient_files, tables)
