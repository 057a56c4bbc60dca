"""Ultrasound images and clips as DICOM, in several transfer syntaxes; every identifier is made up and says PHANTOM.

View Code Sequence (0054,0220) with its modifiers is what PS3.3 C.8.5.6.1.19 has for the view, from CID 12226; the
region calibration is that of C.8.5.5. UIDs have the root 2.25 of ITU-T X.667 and a number made of the seed.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deploy.phantom.acquisition import Shot
from deploy.phantom.pictures import jpeg
from deploy.phantom.provenance import NOTE
from shared_models.phantom.views import View, view_named
from site_agent.sources.dicom_views import MODIFIED, SCHEME, Code

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID

Gray = NDArray[np.uint8]
Box = tuple[int, int, int, int]

DAY, MOMENT = "20000101", "120000"
YEAR = 2000
JPEG_QUALITY = 90
MM_PER_CM, KHZ_PER_MHZ = 10.0, 1000
TWO_DIMENSIONAL, TISSUE, CENTIMETRES, NOT_OPAQUE = 1, 1, 3, 2  # PS3.3 C.8.5.5.1
HEART: Code = ("80891009", "SCT", "Heart")
CAVA: Code = ("64131007", "SCT", "Inferior vena cava")


@dataclass(frozen=True)
class Encoding:
    """How pixels lie in the file: a transfer syntax (pydicom's keyword) and a photometric interpretation."""

    syntax: str
    photometric: str


ENCODINGS = (
    Encoding("ExplicitVRLittleEndian", "MONOCHROME2"),
    Encoding("RLELossless", "MONOCHROME2"),
    Encoding("JPEGBaseline8Bit", "YBR_FULL_422"),
    Encoding("ExplicitVRLittleEndian", "RGB"),
    Encoding("JPEGBaseline8Bit", "MONOCHROME2"),
    Encoding("ImplicitVRLittleEndian", "MONOCHROME2"),
    Encoding("RLELossless", "RGB"),
)


@dataclass(frozen=True)
class Person:
    """Whom the headers speak of: nobody.

    Attributes:
        number: counted from 1.
        sex: ``F`` or ``M``.
        age: in years.
        height_m, weight_kg: as drawn.
    """

    number: int
    sex: str
    age: float
    height_m: float
    weight_kg: float

    @property
    def key(self) -> str:
        """Patient ID."""
        return f"PHANTOM-{self.number:05d}"


@dataclass(frozen=True)
class Instance:
    """One file.

    Attributes:
        person: of whom.
        seed: UIDs come from it.
        number: of the instance in the study, counted from 1.
        shot: the view.
        machine: its name.
        frequency_mhz: sent.
        frames: (T, H, W).
        box: first and last column and row of the sector: x0, y0, x1, y1.
        spacing_mm: side of a pixel.
        rate_hz: frames a second; None for a still.
        heart_rate: beats a minute.
        encoding: of the pixels.
    """

    person: Person
    seed: int
    number: int
    shot: Shot
    machine: str
    frequency_mhz: float
    frames: Gray
    box: Box
    spacing_mm: float
    rate_hz: float | None
    heart_rate: float
    encoding: Encoding


def sector_box(sector: NDArray[np.bool_]) -> Box:
    """First and last column and row of a mask: x0, y0, x1, y1."""
    rows, columns = np.flatnonzero(sector.any(axis=1)), np.flatnonzero(sector.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def uid(seed: int, *words: str | int) -> UID:
    """A valid UID for what the words name, the same for the same seed."""
    from pydicom.uid import UID

    text = "/".join(["phantom uid", str(seed), *map(str, words)])
    return UID(f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest()[:16])}")


def dicom_bytes(instance: Instance) -> bytes:
    """The file."""
    from pydicom.dataset import Dataset
    from pydicom.filewriter import dcmwrite

    dataset = Dataset()
    dataset.file_meta = _file_meta(instance)
    _describe_patient(dataset, instance.person)
    _describe_study(dataset, instance)
    _describe_view(dataset, instance.shot)
    _describe_region(dataset, instance)
    _add_pixels(dataset, instance)
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _file_meta(instance: Instance) -> FileMetaDataset:
    from pydicom import uid as uids
    from pydicom.dataset import FileMetaDataset

    moving = instance.rate_hz is not None
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uids.UltrasoundMultiFrameImageStorage if moving else uids.UltrasoundImageStorage
    meta.MediaStorageSOPInstanceUID = uid(instance.seed, instance.person.number, "instance", instance.number)
    meta.TransferSyntaxUID = getattr(uids, instance.encoding.syntax)
    meta.ImplementationClassUID = uid(0, "implementation")
    meta.ImplementationVersionName = "PHANTOM"
    return meta


def _describe_patient(dataset: Dataset, person: Person) -> None:
    dataset.PatientName = f"PHANTOM^NOBODY {person.number:05d}"
    dataset.PatientID = person.key
    dataset.PatientBirthDate = f"{YEAR - int(person.age)}0101"
    dataset.PatientSex = person.sex
    dataset.PatientAge = f"{int(person.age):03d}Y"
    dataset.PatientSize = round(person.height_m, 2)
    dataset.PatientWeight = round(person.weight_kg, 1)
    dataset.PatientComments = NOTE


def _describe_study(dataset: Dataset, instance: Instance) -> None:
    number = instance.person.number
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = uid(instance.seed, number, "study")
    dataset.SeriesInstanceUID = uid(instance.seed, number, "series")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = DAY
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = MOMENT
    dataset.AccessionNumber = dataset.StudyID = f"PHANTOM{number:05d}"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, instance.number
    dataset.Modality = "US"
    dataset.Manufacturer, dataset.ManufacturerModelName = "PHANTOM", instance.machine
    dataset.InstitutionName, dataset.StationName = "PHANTOM HOSPITAL", "PHANTOM"
    dataset.ReferringPhysicianName = dataset.OperatorsName = "PHANTOM^NOBODY"
    dataset.DeviceSerialNumber = dataset.SoftwareVersions = "PHANTOM"
    dataset.StudyDescription, dataset.ImageComments = "PHANTOM echocardiogram", NOTE
    dataset.PatientOrientation = ""


def _describe_view(dataset: Dataset, shot: Shot) -> None:
    view = view_named(shot.view)
    principal, modifiers = view_codes(view)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "TTE", "0001"]  # the fourth: two-dimensional imaging
    dataset.ViewName = view.name
    dataset.ViewCodeSequence = [_code(principal)]
    if modifiers:
        dataset.ViewCodeSequence[0].ViewModifierCodeSequence = [_code(each) for each in modifiers]
    dataset.AnatomicRegionSequence = [_code(CAVA if view.name == "SC-IVC" else HEART)]
    if shot.contrast:
        dataset.ContrastBolusAgent = "PHANTOM microbubbles"


def view_codes(view: View) -> tuple[Code, list[Code]]:
    """The principal code of a view, and its modifiers."""
    if view.name in MODIFIED:
        principal, modifier = MODIFIED[view.name]
        return principal, [modifier]
    return (view.code, SCHEME if view.private else "SCT", view.meaning.capitalize()), []


def _code(code: Code) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code
    return item


def _describe_region(dataset: Dataset, instance: Instance) -> None:
    from pydicom.dataset import Dataset

    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = TWO_DIMENSIONAL, TISSUE, NOT_OPAQUE
    region.RegionLocationMinX0, region.RegionLocationMinY0 = instance.box[:2]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = instance.box[2:]
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = CENTIMETRES
    region.PhysicalDeltaX = region.PhysicalDeltaY = instance.spacing_mm / MM_PER_CM
    region.TransducerFrequency = round(instance.frequency_mhz * KHZ_PER_MHZ)
    dataset.SequenceOfUltrasoundRegions = [region]
    dataset.TransducerType = "SECTOR_PHASED"


def _add_pixels(dataset: Dataset, instance: Instance) -> None:
    from pydicom.encaps import encapsulate
    from pydicom.uid import RLELossless

    count, dataset.Rows, dataset.Columns = instance.frames.shape
    dataset.PhotometricInterpretation = instance.encoding.photometric
    pixels = instance.frames
    dataset.SamplesPerPixel = 1
    if instance.encoding.photometric != "MONOCHROME2":
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
        dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.UltrasoundColorDataPresent = 0
    dataset.LossyImageCompression = "00"
    if instance.rate_hz is not None:
        _describe_cine(dataset, instance, count)
    if instance.encoding.syntax == "JPEGBaseline8Bit":
        frames = [jpeg(frame, JPEG_QUALITY) for frame in pixels]
        dataset.PixelData = encapsulate(frames)
        dataset["PixelData"].is_undefined_length = True
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionMethod = "ISO_10918_1"
        dataset.LossyImageCompressionRatio = f"{pixels.nbytes / sum(map(len, frames)):.2f}"
    elif instance.encoding.syntax == "RLELossless":
        still = pixels if instance.rate_hz is not None else pixels[0]
        dataset.compress(RLELossless, still, encoding_plugin="pydicom", generate_instance_uid=False)
    else:
        dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
        dataset["PixelData"].VR = "OB"


def _describe_cine(dataset: Dataset, instance: Instance, count: int) -> None:
    rate = instance.rate_hz or 0.0
    dataset.NumberOfFrames = count
    dataset.FrameTime = f"{1000 / rate:.4f}"
    dataset.FrameIncrementPointer = 0x00181063  # Frame Time
    dataset.CineRate = dataset.RecommendedDisplayFrameRate = round(rate)
    dataset.HeartRate = round(instance.heart_rate)
