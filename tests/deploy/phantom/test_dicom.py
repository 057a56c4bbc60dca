"""DICOM files, read back with pydicom and its decoders."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from deploy.phantom.acquisition import Shot
from deploy.phantom.dicom import ENCODINGS, Encoding, Instance, Person, dicom_bytes, sector_box, uid, view_codes
from shared_models.phantom.views import VIEWS, view_named

ROWS, COLUMNS = np.mgrid[:37, :51]
FRAMES = np.stack([(120 + 90 * np.sin(ROWS / 6 + shift) * np.cos(COLUMNS / 8)).astype(np.uint8) for shift in range(3)])
STILL = Instance(
    person=Person(7, "F", 61.4, 1.683, 70.16),
    seed=3,
    number=2,
    shot=Shot("A4C"),
    machine="bittern",
    frequency_mhz=1.6,
    frames=FRAMES[:1],
    box=(4, 2, 46, 34),
    spacing_mm=0.42,
    rate_hz=None,
    heart_rate=70.0,
    encoding=ENCODINGS[0],
)
CLIP = replace(STILL, frames=FRAMES, rate_hz=40.0)


def _read(instance: Instance) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(dicom_bytes(instance)))


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
@pytest.mark.parametrize("instance", [STILL, CLIP], ids=["still", "clip"])
def test_pixels_come_back(instance: Instance, encoding: Encoding) -> None:
    dataset = _read(replace(instance, encoding=encoding))
    assert dataset.file_meta.TransferSyntaxUID.keyword == encoding.syntax
    assert dataset.PhotometricInterpretation == encoding.photometric
    pixels = dataset.pixel_array
    grey = pixels[..., 0] if dataset.SamplesPerPixel == 3 else pixels
    assert grey.shape == instance.frames.shape[instance.rate_hz is None :]
    lossy = encoding.syntax == "JPEGBaseline8Bit"
    assert np.abs(grey.astype(int) - instance.frames).max() <= (8 if lossy else 0)
    assert dataset.LossyImageCompression == ("01" if lossy else "00")


def test_a_still_and_a_clip_are_of_their_classes() -> None:
    still, clip = _read(STILL), _read(CLIP)
    assert still.SOPClassUID.name == "Ultrasound Image Storage"
    assert clip.SOPClassUID.name == "Ultrasound Multi-frame Image Storage"
    assert "NumberOfFrames" not in still
    assert clip.NumberOfFrames == 3
    assert clip.FrameTime == pytest.approx(25.0)
    assert clip[clip.FrameIncrementPointer].keyword == "FrameTime"
    assert still.Modality == clip.Modality == "US"
    assert still.ImageType[3] == "0001", "two-dimensional imaging"


def test_the_region_is_the_sector_in_centimetres() -> None:
    (region,) = _read(STILL).SequenceOfUltrasoundRegions
    box = region.RegionLocationMinX0, region.RegionLocationMinY0, region.RegionLocationMaxX1, region.RegionLocationMaxY1
    assert box == STILL.box
    assert (region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection) == (3, 3)
    assert region.PhysicalDeltaX == region.PhysicalDeltaY == pytest.approx(0.042)
    assert (region.RegionSpatialFormat, region.RegionDataType) == (1, 1)
    assert region.TransducerFrequency == 1600


def test_the_box_of_a_sector() -> None:
    sector = np.zeros((9, 12), bool)
    sector[2:8, 3:10] = True
    assert sector_box(sector) == (3, 2, 9, 7)


def test_every_view_has_its_code_from_the_standard() -> None:
    in_group = {getattr(codes.CID12226, name).value for name in codes.CID12226.dir()}
    for view in VIEWS.values():
        (code, scheme, meaning), modifiers = view_codes(view)
        if scheme == "SCT":
            assert code in in_group | {"398994001"}, "five chambers are in CID 501"
        else:
            assert (view.name, scheme) == ("SC-IVC", "99CONSILIUM")
        assert meaning
        assert bool(modifiers) == (view.name in {"PLAX-AV", "PSAX-APEX"})
    assert view_codes(view_named("A4C"))[0][0] == codes.CID12226.ApicalFourChamber.value


def test_no_two_views_are_coded_alike() -> None:
    assert len({str(view_codes(view)) for view in VIEWS.values()}) == len(VIEWS)


def test_the_view_stands_in_the_file_with_its_modifier_and_contrast_apart() -> None:
    zoomed = _read(replace(STILL, shot=Shot("PLAX-AV")))
    (item,) = zoomed.ViewCodeSequence
    assert (item.CodeValue, item.CodingSchemeDesignator) == ("399139001", "SCT")
    assert item.ViewModifierCodeSequence[0].CodeMeaning == "Aortic Valve"
    assert "ContrastBolusAgent" not in zoomed
    contrast = _read(replace(STILL, shot=Shot("A4C", contrast=True)))
    assert contrast.ViewCodeSequence[0].CodeValue == "399214001"
    assert "PHANTOM" in contrast.ContrastBolusAgent


def test_identifiers_are_made_up_and_say_so() -> None:
    dataset = _read(STILL)
    told = ("PatientName", "PatientID", "InstitutionName", "AccessionNumber", "ReferringPhysicianName", "Manufacturer")
    for keyword in told:
        assert "PHANTOM" in str(dataset[keyword].value), keyword
    assert (dataset.PatientSex, dataset.PatientAge, dataset.PatientBirthDate) == ("F", "061Y", "19390101")
    assert "no patient" in dataset.ImageComments


def test_uids_are_valid_and_follow_from_the_seed() -> None:
    dataset = _read(STILL)
    same, other_seed = _read(STILL), _read(replace(STILL, seed=4))
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        value = dataset[keyword].value
        assert value.is_valid
        assert value.startswith("2.25.")
        assert value == same[keyword].value != other_seed[keyword].value
    assert _read(replace(STILL, number=3)).StudyInstanceUID == dataset.StudyInstanceUID
    assert _read(replace(STILL, number=3)).SOPInstanceUID != dataset.SOPInstanceUID
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert uid(1, "a") == uid(1, "a") != uid(1, "b")


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_the_same_instance_gives_the_same_bytes(encoding: Encoding) -> None:
    assert dicom_bytes(replace(CLIP, encoding=encoding)) == dicom_bytes(replace(CLIP, encoding=encoding))
