"""Images of made-up sites, in the form in which a site takes images in, with their truth beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from deploy.phantom.acquisition import Shot, Take, draw
from deploy.phantom.orders import Pictures, SiteOrder, check_order, check_pictures, choose
from deploy.phantom.pictures import Cine, Still, png
from deploy.phantom.provenance import provenance_of
from deploy.phantom.seeds import seed_of, share_of
from deploy.phantom.tables import csv_file, decimal
from deploy.phantom.workplace import File, Line, Lines, Part, Plan

if TYPE_CHECKING:
    from shared_models.phantom.study import Frame

IMAGES, TRUTH = "images", "truth"
INDEX, CONTOURS, VOLUMES = "index.csv", "contours.csv", "volumes.csv"
INDEX_COLUMNS = ("path", "label", "patient", "site", "clip", "frame", "split", "view", "machine", "spacing_mm")
MASK_COLUMN = "mask"
POINTS = 7
WHITE = 255
CONTOUR_COLUMNS = ("path", "frame", *(f"{axis}{point}" for point in range(1, POINTS + 1) for axis in "xy"))
VOLUME_COLUMNS = (
    "path",
    "frame",
    "phase",
    "time_s",
    "volume_ml",
    "ejection_fraction",
    "end_diastole",
    "end_systole",
    "patient",
    "population",
)
ABOUT = f"""\
{INDEX} lists the images in {IMAGES}/ in the form that 'consilium site ingest' reads. The label is the code
of the view, with '+contrast' appended where the left ventricle is filled with contrast; spacing_mm is the
side of a pixel."""
ABOUT_TRUTH = f"""
In {TRUTH}/: NAME.labels holds 0 outside the sector, 1 background inside it, 2 left ventricle, 3 myocardium,
4 left atrium, 5 right ventricle, 6 right atrium, 7 aorta; {INDEX} names it in its column {MASK_COLUMN}, so that
what is drawn is taken in with the image. NAME.sector is 255 inside the sector. {CONTOURS} has seven points of
the left ventricle's border in pixels (x to the right, y down; the middle of the first pixel is 0, 0), from one
end of the base over the apex to the other. {VOLUMES} has the left ventricle's volume at every frame, and counts
frames from 0."""


def site_plan(command: str, orders: Sequence[SiteOrder], pictures: Pictures, given: Mapping[str, str]) -> Plan:
    """Everything that a folder with these sites is to hold; `given` is what was asked for, in options.

    Raises:
        ConsiliumError: something that the phantom cannot do.
    """
    check_pictures(pictures)
    for order in orders:
        check_order(order)
    parts = [
        Part(f"{order.site}/{patient_name(order.site, number)}", partial(patient_files, order, pictures, number))
        for order in orders
        for number in range(order.first, order.first + order.patients)
    ]
    about = ABOUT + (ABOUT_TRUTH if pictures.truth else "")
    provenance = provenance_of(command, pictures.seed, given)
    return Plan(provenance, about, parts, partial(_tables, truth=pictures.truth))


def patient_name(site: str, number: int) -> str:
    """Nobody's name, unique in a federation."""
    return f"{site}-{number:05d}"


def patient_files(order: SiteOrder, pictures: Pictures, number: int) -> Iterator[File | Line]:
    """Files and lines of one patient, one acquisition after another."""
    words = order.site, number
    population = choose(order.populations, share_of(pictures.seed, *words, "population"))
    patient = draw(
        seed_of(pictures.seed, *words, "patient"),
        population,
        ejection_fraction=order.ejection_fraction,
        wall_mm=order.wall_mm,
    )
    machine = choose(order.machines, share_of(pictures.seed, *words, "machine"))
    for shot in _shots(order, pictures.seed, number):
        still = (share_of(pictures.seed, *words, shot.name, "phase"),)  # a still shows any moment of the beat
        take = Take(
            patient,
            shot,
            machine,
            frames=still if pictures.frames == 1 else pictures.frames,
            seed=seed_of(pictures.seed, *words, shot.name, "acquisition"),
            size=(pictures.size, pictures.size),
            shortcut=pictures.shortcut,
        )
        yield from _Writer(order, take, number).files(truth=pictures.truth)


def _shots(order: SiteOrder, seed: int, number: int) -> list[Shot]:
    """Shots of this patient; one at least, the likeliest."""
    words = order.site, number
    taken = [shot for shot, share in order.shots.items() if share_of(seed, *words, shot.name, "taken") < share]
    return taken or [max(order.shots, key=lambda shot: order.shots[shot])]


class _Writer:
    """Writes one take of one patient: frames go into the file as they come."""

    def __init__(self, order: SiteOrder, take: Take, number: int) -> None:
        self.order, self.take, self.patient = order, take, patient_name(order.site, number)
        self.still = len(take.phases) == 1
        self.stem = f"{order.site}/{self.patient}/{take.shot.name.replace('+', '-')}"
        self.path = f"{IMAGES}/{self.stem}{self.suffix}"

    @property
    def suffix(self) -> str:
        return ".png" if self.still else ".avi"

    @property
    def labels_path(self) -> str:
        return f"{TRUTH}/{self.stem}.labels{self.suffix}"

    def files(self, *, truth: bool) -> Iterator[File | Line]:
        images, labels = self._film(), self._film()
        for number, frame in enumerate(self.take.frames()):
            images.add(frame.image)
            if truth:
                labels.add(frame.labels)
                yield from self._truth_lines(number, frame)
        yield File(self.path, images.close())
        yield self._index_line(truth=truth)
        if truth:
            yield File(self.labels_path, labels.close())
            yield File(f"{TRUTH}/{self.stem}.sector.png", png(self.take.sector.astype(np.uint8) * WHITE))

    def _film(self) -> Still | Cine:
        return Still() if self.still else Cine(self.take.rate_hz)

    def _index_line(self, *, truth: bool) -> Line:
        take, order = self.take, self.order
        clip = "" if self.still else f"{self.patient}/{take.shot.name}"
        seen = take.shot.name, take.machine, decimal(take.spacing_mm, 6)
        drawn = (self.labels_path,) if truth else ()
        return Line(INDEX, (self.path, take.shot.label, self.patient, order.site, clip, "", order.split, *seen, *drawn))

    def _truth_lines(self, number: int, frame: Frame) -> Iterator[Line]:
        take, place = self.take, (self.path, str(number))
        if np.isfinite(frame.contour).all():
            yield Line(CONTOURS, (*place, *(decimal(float(value), 3) for value in frame.contour.ravel())))
        moment = decimal(frame.phase, 5), decimal(float(take.times_s[number]), 5), decimal(frame.volume_ml, 3)
        ends = ("", "") if self.still else (str(take.end_diastole), str(take.end_systole))
        marks = decimal(take.patient.parameters.ejection_fraction, 3), *ends
        yield Line(VOLUMES, (*place, *moment, *marks, self.patient, take.patient.population))


def _tables(lines: Lines, *, truth: bool) -> Iterator[File]:
    yield csv_file(INDEX, (*INDEX_COLUMNS, MASK_COLUMN) if truth else INDEX_COLUMNS, lines(INDEX))
    if truth:
        yield csv_file(CONTOURS, CONTOUR_COLUMNS, lines(CONTOURS))
        yield csv_file(VOLUMES, VOLUME_COLUMNS, lines(VOLUMES))
