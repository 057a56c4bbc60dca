"""TMED-2: stills of 112x112 pixels with view labels of two sets, unlabelled ones, and folds of three sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import ExportOrder, Layout, patient_of, record
from deploy.phantom.pictures import png
from deploy.phantom.seeds import seed_of, share_of
from deploy.phantom.tables import csv_file
from deploy.phantom.workplace import File, Line, Lines

ROOT = "approved_users_only"
MACHINES = {"bittern": (84, 112), "fulmar": (76, 112), "curlew": (84, 112)}  # and (height, width) of their images
SIDE = 112
SHOTS = {
    "PLAX": ("PLAX",),
    "PSAX": ("PSAX-AV", "PSAX-MV", "PSAX-PM"),
    "A4C": ("A4C",),
    "A2C": ("A2C",),
    "A4CorA2CorOther": ("A3C", "A5C", "SC-4C", "PSAX-APEX"),
}
NOT_PROVIDED = "Not_Provided"
DIAGNOSIS = "no_AS"
BOTH, VIEWS = "view_and_diagnosis_labeled_set", "view_labeled_set"
VIEW_ONLY = 4  # every so manieth patient has no diagnosis
UNLABELED = 2  # images of every study
FOLDS = 3
SHARES = {"DEV479": 1.0, "DEV165": 165 / 479, "DEV56": 56 / 479}  # of the studies that train or validate
VALIDATION, TEST = 0.2, 0.2
IMAGES = "labels_per_image.csv"
IMAGE_COLUMNS = ("query_key", "view_label", "diagnosis_label")
FOLD_COLUMNS = (*IMAGE_COLUMNS, "SourceFolder", "view_classifier_split", "diagnosis_classifier_split")
ABOUT = f"""\
The layout of TMED-2: {ROOT}/{IMAGES}, two labelled sets with their unlabelled images, and DEV479, DEV165
and DEV56 with three folds each. An image's name is <patient>s<study>_<image>.png; images narrower or lower
than {SIDE} pixels are filled up with black at the right and at the bottom. No phantom has a narrowed aortic
valve: every diagnosis is {DIAGNOSIS} or {NOT_PROVIDED}."""


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """One study: an image of every view, and some without a label."""
    patient = patient_of(order, number)
    machine = list(MACHINES)[seed_of(order.seed, number, "machine") % len(MACHINES)]
    both = number % VIEW_ONLY != 0
    folder, diagnosis = (BOTH, DIAGNOSIS) if both else (VIEWS, NOT_PROVIDED)
    labels = [*SHOTS, *[NOT_PROVIDED] * UNLABELED]
    for place, label in enumerate(labels):
        views = SHOTS.get(label) or tuple(view for each in SHOTS.values() for view in each)
        shot = Shot(views[seed_of(order.seed, number, place, "view") % len(views)])
        phase = share_of(order.seed, number, place, "phase")
        clip = record(order, number, patient, shot, machine, frames=(phase,), size=MACHINES[machine], again=place)
        key, labeled = f"{number}s1_{place}.png", label != NOT_PROVIDED
        source = f"{folder}/{'labeled' if labeled else 'unlabeled'}"
        yield File(f"{ROOT}/{source}/{key}", png(padded(clip.masked[0])))
        if labeled:
            yield Line(IMAGES, (key, label, diagnosis, source))
        else:
            yield Line(NOT_PROVIDED, (key, label, diagnosis, source))


def padded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A square with black at the right or at the bottom."""
    height, width = image.shape
    side = max(height, width)
    return np.pad(image, ((0, side - height), (0, side - width)))


def tables(order: ExportOrder, lines: Lines) -> Iterator[File]:
    """All labels, and what is in each part of each fold of each size."""
    yield csv_file(f"{ROOT}/{IMAGES}", IMAGE_COLUMNS, (cells[:3] for cells in lines(IMAGES)))
    for size, share in SHARES.items():
        for fold in range(FOLDS):
            stem = f"{ROOT}/{size}/TMED2_fold{fold}"
            for part, table in (("labeledpart", IMAGES), ("unlabeledpart", NOT_PROVIDED)):
                yield csv_file(f"{stem}_{part}.csv", FOLD_COLUMNS, _fold_rows(order, fold, share, lines(table)))


def _fold_rows(order: ExportOrder, fold: int, share: float, rows: Iterator[list[str]]) -> Iterator[list[str]]:
    for cells in rows:
        patient = cells[0].partition("s")[0]
        split = _split(order, fold, patient)
        if split == "test" or share_of(order.seed, fold, patient, "in the smaller fold") < share:
            diagnosis = split if cells[2] != NOT_PROVIDED else NOT_PROVIDED
            yield [*cells, split if cells[1] != NOT_PROVIDED else NOT_PROVIDED, diagnosis]


def _split(order: ExportOrder, fold: int, patient: str) -> str:
    chance = share_of(order.seed, fold, patient, "split")
    return "test" if chance < TEST else "val" if chance < TEST + VALIDATION else "train"


LAYOUT = Layout(ABOUT, patient_files, tables)
