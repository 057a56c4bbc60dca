"""A study as an archive hands it out, read with pydicom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.dicom import CLIPS, MACHINES, STILLS, STILLS_EACH
from deploy.phantom.exports.layout import patient_of, record

Export = tuple[Path, Any]


@pytest.fixture
def export(exported: Callable[..., Export]) -> Export:
    return exported("dicom", patients=3, frames=5, size=96)


def _files(folder: Path) -> list[pydicom.FileDataset]:
    return [pydicom.dcmread(path) for path in sorted(folder.rglob("*.dcm"))]


def test_each_patient_has_one_study_with_its_own_uids(export: Export) -> None:
    files = _files(export[0])
    assert len(files) == 3 * (len(CLIPS) + STILLS_EACH)
    assert len({file.SOPInstanceUID for file in files}) == len(files)
    assert {file.PatientID for file in files} == {"PHANTOM-00001", "PHANTOM-00002", "PHANTOM-00003"}
    assert len({(file.PatientID, file.StudyInstanceUID) for file in files}) == 3
    assert [path.parent.name for path in sorted(export[0].rglob("*.dcm"))] == [file.PatientID for file in files]


def test_all_views_and_encodings_come_up(exported: Callable[..., Export]) -> None:
    files = _files(exported("dicom", patients=3, frames=5, size=96)[0])
    assert {file.ViewName for file in files} >= {shot.view for shot in STILLS}
    assert {file.file_meta.TransferSyntaxUID.keyword for file in files} == {
        "ExplicitVRLittleEndian",
        "ImplicitVRLittleEndian",
        "RLELossless",
        "JPEGBaseline8Bit",
    }
    assert {file.PhotometricInterpretation for file in files} == {"MONOCHROME2", "RGB", "YBR_FULL_422"}
    assert sum("ContrastBolusAgent" in file for file in files) == 1


def test_clips_are_those_of_the_phantom(export: Export) -> None:
    folder, order = export
    for number in (1, 2):
        dataset = pydicom.dcmread(folder / f"PHANTOM-{number:05d}" / "IM00001.dcm")
        machine = MACHINES[number % len(MACHINES)]
        clip = record(order, number, patient_of(order, number), Shot("A4C"), machine, marks=True)
        pixels = dataset.pixel_array
        grey = pixels[..., 0] if dataset.SamplesPerPixel == 3 else pixels
        assert np.abs(grey.astype(int) - clip.images).max() <= (0 if dataset.LossyImageCompression == "00" else 24)
        (region,) = dataset.SequenceOfUltrasoundRegions
        assert region.PhysicalDeltaX * 10 == pytest.approx(clip.take.spacing_mm)
        rows, columns = np.nonzero(clip.take.sector)
        assert (region.RegionLocationMinX0, region.RegionLocationMaxX1) == (columns.min(), columns.max())
        assert (region.RegionLocationMinY0, region.RegionLocationMaxY1) == (rows.min(), rows.max())
        assert dataset.FrameTime == pytest.approx(1000 / clip.take.rate_hz, rel=1e-3)
        assert dataset.ViewCodeSequence[0].CodeValue == "399214001"
        assert dataset.PatientSex == patient_of(order, number).sex
        assert dataset.ManufacturerModelName == machine
