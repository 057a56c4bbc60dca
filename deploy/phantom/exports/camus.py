"""CAMUS, the release of 2023: NIfTI, one folder a patient, with lists of who trains."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deploy.phantom.exports.camus_clips import cfg_lines, half_beats, rate_line
from deploy.phantom.exports.layout import ExportOrder, Layout, part_of
from deploy.phantom.tables import text_file
from deploy.phantom.workplace import File, Line, Lines

ROOT = "CAMUS_public"
SUBGROUPS = {"train": "training", "val": "validation", "test": "testing"}
ABOUT = f"""\
The layout of CAMUS as NIfTI: {ROOT}/database_nifti with one folder a patient, and {ROOT}/database_split.
Values of *_gt: 0 background, 1 left ventricle, 2 myocardium, 3 left atrium. ED and ES count from 1.
ImageQuality is Good, Medium or Poor by the machine that was used; no person judged it."""


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """Both views: half a beat, its two frames, what they show, and the numbers."""
    name = f"patient{number:04d}"
    for beat in half_beats(order, number):
        stem, spacing = f"{ROOT}/database_nifti/{name}/{name}_{beat.view}", beat.clip.take.spacing_mm
        for moment, frame in beat.moments.items():
            yield File(f"{stem}_{moment}.nii.gz", nifti(beat.images[frame], spacing))
            yield File(f"{stem}_{moment}_gt.nii.gz", nifti(beat.truth[frame], spacing))
        yield File(f"{stem}_half_sequence.nii.gz", nifti(beat.images, spacing))
        yield File(f"{stem}_half_sequence_gt.nii.gz", nifti(beat.truth, spacing))
        lines = [*cfg_lines(beat), f"EF: {beat.clip.ejection_fraction:.0f}", rate_line(beat)]
        yield text_file(f"{ROOT}/database_nifti/{name}/Info_{beat.view}.cfg", lines)
    yield Line(SUBGROUPS[part_of(number)], (name,))


def nifti(pixels: NDArray[np.uint8], spacing_mm: float) -> bytes:
    """(H, W) or (T, H, W) pixels as a compressed NIfTI file, which has them as (W, H) or (W, H, T)."""
    import nibabel

    image = nibabel.Nifti1Image(pixels.T, np.diag([spacing_mm, spacing_mm, 1.0, 1.0]))
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), mtime=0)


def tables(_order: ExportOrder, lines: Lines) -> Iterator[File]:
    """One list of patients for each subgroup."""
    for subgroup in SUBGROUPS.values():
        yield text_file(f"{ROOT}/database_split/subgroup_{subgroup}.txt", (cells[0] for cells in lines(subgroup)))


LAYOUT = Layout(ABOUT, patient_files, tables)
