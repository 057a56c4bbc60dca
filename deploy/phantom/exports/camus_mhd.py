"""CAMUS, the release of 2019: MetaImage with oblong pixels, in two folders that number their patients apart."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.phantom.exports.camus_clips import Gray, HalfBeat, cfg_lines, half_beats
from deploy.phantom.exports.layout import ExportOrder, Layout, part_of, volumes
from deploy.phantom.meta_image import meta_image
from deploy.phantom.tables import text_file
from deploy.phantom.workplace import File, Line, Lines

EVERY = 2  # of the columns is kept: pixels are twice as wide as high
ABOUT = """\
The layout of CAMUS as MetaImage: training/ and testing/, each numbering its patients from 1. Pixels are
twice as wide as high. Values of *_gt: 0 background, 1 left ventricle, 2 myocardium, 3 left atrium. ED and
ES count from 1. As in the original, testing/ has neither *_gt nor volumes."""


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """Both views: half a beat, its two frames, what they show, and the numbers."""
    testing = part_of(number) == "test"
    name = f"patient{_number_in_folder(number, testing=testing):04d}"
    folder = f"{'testing' if testing else 'training'}/{name}"
    for beat in half_beats(order, number):
        stem = f"{folder}/{name}_{beat.view}"
        for moment, frame in beat.moments.items():
            yield from _image(f"{stem}_{moment}.mhd", beat.images[frame : frame + 1], beat)
            if not testing:
                yield from _image(f"{stem}_{moment}_gt.mhd", beat.truth[frame : frame + 1], beat)
        yield from _image(f"{stem}_sequence.mhd", beat.images, beat)
        yield text_file(f"{folder}/Info_{beat.view}.cfg", [*cfg_lines(beat), *([] if testing else _volume_lines(beat))])


def _number_in_folder(number: int, *, testing: bool) -> int:
    """How many patients up to this one lie in the same folder."""
    return sum((part_of(each) == "test") == testing for each in range(1, number + 1))


def _image(path: str, frames: Gray, beat: HalfBeat) -> Iterator[File]:
    edge = beat.clip.take.spacing_mm
    return meta_image(path, frames[:, :, ::EVERY], (EVERY * edge, edge))


def _volume_lines(beat: HalfBeat) -> list[str]:
    diastolic, systolic = volumes(beat.clip)
    return [f"LVedv: {diastolic:.1f}", f"LVesv: {systolic:.1f}", f"LVef: {beat.clip.ejection_fraction:.1f}"]


def tables(_order: ExportOrder, _lines: Lines) -> Iterator[File]:
    """None: the folders say it all."""
    return iter(())


LAYOUT = Layout(ABOUT, patient_files, tables)
