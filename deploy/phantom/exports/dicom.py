"""DICOM as a picture archive hands it out: stills and clips of a study, in several transfer syntaxes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy.phantom.acquisition import Shot
from deploy.phantom.dicom import ENCODINGS, Instance, Person, dicom_bytes, sector_box
from deploy.phantom.exports.layout import ExportOrder, Layout, patient_of, record
from deploy.phantom.seeds import share_of
from deploy.phantom.workplace import File, Line, Lines
from shared_models.phantom.machines import machine_named
from shared_models.phantom.views import VIEWS

if TYPE_CHECKING:
    from shared_models.phantom.patients import Patient

MACHINES = ("bittern", "fulmar", "curlew", "eider")
CLIPS = (Shot("A4C"), Shot("A2C"))
STILLS = (*(Shot(view) for view in VIEWS), Shot("A4C", contrast=True))
STILLS_EACH = 5
CM_PER_M = 100.0
ABOUT = """\
Ultrasound images (single frame) and clips (multi-frame) as DICOM, one folder a patient: little endian
explicit and implicit, RLE and JPEG baseline; grey, RGB and YBR_FULL_422. The view stands in View Code
Sequence with its modifiers: CID 12226 where it has the view, 99CONSILIUM for the subcostal view of the vena
cava. Sequence of Ultrasound Regions holds the box of the sector and the side of a pixel in cm. Names, dates
and numbers are made up; the scanner's marks are burnt into the images."""


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """One study: two clips, and stills of some views."""
    patient = patient_of(order, number)
    first = (number - 1) * STILLS_EACH
    stills = [STILLS[(first + place) % len(STILLS)] for place in range(STILLS_EACH)]
    for place, shot in enumerate((*CLIPS, *stills)):
        instance = _instance(order, number, patient, shot, place)
        yield File(f"{instance.person.key}/IM{instance.number:05d}.dcm", dicom_bytes(instance))


def _instance(order: ExportOrder, number: int, patient: Patient, shot: Shot, place: int) -> Instance:
    machine = machine_named(MACHINES[number % len(MACHINES)])
    moving = place < len(CLIPS)
    frames = None if moving else (share_of(order.seed, number, place, "phase"),)
    clip = record(order, number, patient, shot, machine.name, frames=frames, marks=True, again=place)
    return Instance(
        person=Person(number, patient.sex, patient.age, patient.height_cm / CM_PER_M, patient.weight_kg),
        seed=order.seed,
        number=place + 1,
        shot=shot,
        machine=machine.name,
        frequency_mhz=machine.frequency_mhz,
        frames=clip.images,
        box=sector_box(clip.take.sector),
        spacing_mm=clip.take.spacing_mm,
        rate_hz=clip.take.rate_hz if moving else None,
        heart_rate=patient.parameters.heart_rate,
        encoding=ENCODINGS[(number + place) % len(ENCODINGS)],
    )


def tables(_order: ExportOrder, _lines: Lines) -> Iterator[File]:
    """None: an archive hands out files."""
    return iter(())


LAYOUT = Layout(ABOUT, patient_files, tables)
