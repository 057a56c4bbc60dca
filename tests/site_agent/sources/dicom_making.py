"""DICOM files made for tests: any pixels, in every coding for which there is an encoder."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid as uids
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

ROWS, COLUMNS = np.mgrid[:40, :56]
WAVES = np.stack([(120 + 90 * np.sin(ROWS / 6 + t) * np.cos(COLUMNS / 8)).astype(np.uint8) for t in range(3)])
COLOURS = np.stack([WAVES, WAVES[:, ::-1], 255 - WAVES], axis=-1)
COLOUR_KINDS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", "YBR_PARTIAL_420")


def dataset(pixels: NDArray[Any], *, photometric: str = "MONOCHROME2", bits: int = 0, **elements: Any) -> Dataset:
    """A data set whose pixels lie there as they are: (T, H, W) or (T, H, W, 3)."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = uids.ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = uids.UltrasoundMultiFrameImageStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = UID("2.25.7")
    made.PatientID, made.PatientName, made.Modality = "P7", "NOBODY^AT ALL", "US"
    made.NumberOfFrames, made.Rows, made.Columns = pixels.shape[:3]
    made.SamplesPerPixel = 3 if photometric in COLOUR_KINDS else 1
    if made.SamplesPerPixel == 3:
        made.PlanarConfiguration = 0
    made.PhotometricInterpretation = photometric
    made.BitsAllocated = 8 * pixels.itemsize
    made.BitsStored = bits or made.BitsAllocated
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.tobytes()
    made.PixelData = data + b"\0" * (len(data) % 2)
    made["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def encapsulated(made: Dataset, syntax: UID, frames: Sequence[bytes]) -> Dataset:
    """The data set with pixels that are compressed already."""
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = encapsulate(list(frames))
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    return made


def as_bytes(made: Dataset) -> bytes:
    """The file."""
    buffer = io.BytesIO()
    private = made.file_meta.TransferSyntaxUID.is_private
    order = {"implicit_vr": False, "little_endian": True} if private else {}
    pydicom.dcmwrite(buffer, made, enforce_file_format=True, **order)
    return buffer.getvalue()


def write(path: Path, made: Dataset) -> Path:
    """The file, written."""
    path.write_bytes(as_bytes(made))
    return path


def jpeg(frame: NDArray[np.uint8], mode: str | None = None) -> bytes:
    """A frame as JPEG of the best quality, colours not thinned out."""
    buffer = io.BytesIO()
    Image.fromarray(frame, mode=mode).save(buffer, "JPEG", quality=100, subsampling=0)
    return buffer.getvalue()


def through_gdcm(folder: Path, made: Dataset, process: str) -> Path:
    """The data set compressed by GDCM, whose name of the transfer syntax is given."""
    import gdcm  # type: ignore[import-untyped]

    reader = gdcm.ImageReader()
    reader.SetFileName(str(write(folder / "plain.dcm", made)))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, process)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(folder / "compressed.dcm"))
    assert writer.Write()
    return folder / "compressed.dcm"


def video(frames: NDArray[np.uint8], codec: str, container: str) -> bytes:
    """RGB frames (T, H, W, 3) as a video of high quality."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def sample(name: str) -> Path:
    """A file that comes with pydicom."""
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)
