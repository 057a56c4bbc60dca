"""Files that no reader should be given and every hospital has: damaged, encrypted, wrongly named, and made to harm."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from deploy.phantom.exports.camus import nifti
from deploy.phantom.meta_image import meta_image
from deploy.phantom.pictures import MPEG4, cine
from tests.site_agent.sources.dicom_making import COLOURS, WAVES, as_bytes, dataset

FRAMES = np.random.default_rng(3).integers(0, 256, (9, 48, 64), dtype=np.uint8)


def _picture(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(FRAMES[0]).save(buffer, form)
    return buffer.getvalue()


def _gif() -> bytes:
    buffer = io.BytesIO()
    images = [Image.fromarray(frame) for frame in FRAMES]
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=50)
    return buffer.getvalue()


def whole_files() -> dict[str, bytes]:
    """A file of every form that is read, small and sound."""
    volume = meta_image("a.mhd", FRAMES, (0.3, 0.3), compressed=True)
    data, header = (file.data for file in volume)
    local = header.partition(b"ElementDataFile")[0] + b"ElementDataFile = LOCAL\n"
    return {
        "a.png": _picture("PNG"),
        "a.jpg": _picture("JPEG"),
        "a.bmp": _picture("BMP"),
        "a.tiff": _picture("TIFF"),
        "a.gif": _gif(),
        "a.avi": cine(FRAMES, 20),
        "a.mp4": cine(FRAMES, 20, MPEG4),
        "a.dcm": as_bytes(dataset(WAVES)),
        "a.nii": gzip.decompress(nifti(FRAMES, 0.3)),
        "a.nii.gz": nifti(FRAMES, 0.3),
        "a.mha": local + data,
    }


def damaged_files() -> dict[str, bytes]:
    """Each of them cut short, empty, and as random bytes (what is encrypted looks like that)."""
    noise = np.random.default_rng(4).bytes(4000)
    made: dict[str, bytes] = {"encrypted.png": _zip()}
    for name, data in whole_files().items():
        ending = name.removeprefix("a")
        made |= {f"cut{ending}": data[: 2 * len(data) // 3], f"empty{ending}": b"", f"random{ending}": noise}
    return made


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("image.png", _picture("PNG"))
    return buffer.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *chunks: bytes) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _chunk(b"IEND", b"")


def _gif_of(width: int, height: int, frames: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(3) + b"\xff\xff\xff"
    dot = b"\x21\xf9\x04\x04\x05\x00\x00\x00\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + dot * frames + b";"


def _nifti_of(width: int, height: int, frames: int) -> bytes:
    header = bytearray(gzip.decompress(nifti(FRAMES, 0.3))[:352])
    struct.pack_into("<4h", header, 40, 3, width, height, frames)
    return gzip.compress(bytes(header) + bytes(10**6), mtime=0)


def bombs() -> Mapping[str, tuple[bytes, str]]:
    """Small files that say they are huge, with what must be said of them."""
    rows = _chunk(b"IDAT", zlib.compress(bytes(10**6)))
    text = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(10**8)))
    return {
        "bomb.png": (_png(60_000, 60_000, rows), "not a readable image"),
        "long.png": (_png(9000, 9000, rows), "at most 64 million"),
        "text.png": (_png(48, 64, text, rows), "not a readable image"),
        "bomb.gif": (_gif_of(2000, 2000, 9000), "more than is read"),
        "wide.gif": (_gif_of(65_000, 65_000, 3), "0x0 pixels|not a readable video|at most 64 million"),
        "wide.nii.gz": (_nifti_of(30_000, 30_000, 1), "at most 64 million"),
        "deep.nii.gz": (_nifti_of(8000, 8000, 62), "more than its .* compressed ones can become"),
        "many.nii.gz": (_nifti_of(8, 8, 32_000), "more than is read"),
        "wide.mha": (
            b"NDims = 2\nDimSize = 99999 99999\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n",
            "64 mill",
        ),
        "wide.dcm": (as_bytes(dataset(WAVES, Rows=65_535, Columns=65_535)), "at most 64 million"),
        "many.dcm": (as_bytes(dataset(WAVES, NumberOfFrames=10**7)), "more than is read"),
    }


def odd_dicom() -> Mapping[str, tuple[bytes, str]]:
    """DICOM files that are sound as files and make no sense as images."""
    bare = dataset(WAVES)
    del bare.PixelData
    palette = dataset(WAVES, photometric="PALETTE COLOR")
    report = dataset(WAVES, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    del report.PixelData
    return {
        "bare.dcm": (as_bytes(bare), "holds no pixels"),
        "report.dcm": (as_bytes(report), "holds no image but Basic Text SR Storage"),
        "palette.dcm": (as_bytes(palette), "PALETTE COLOR without a whole palette"),
        "thin.dcm": (as_bytes(dataset(WAVES, Rows=0)), "0 pixels"),
        "seven.dcm": (as_bytes(dataset(WAVES, BitsAllocated=7)), "bits"),
        "short.dcm": (as_bytes(dataset(WAVES, NumberOfFrames=30)), "bytes"),
        "planes.dcm": (as_bytes(dataset(COLOURS, photometric="RGB", SamplesPerPixel=4)), "samples"),
    }


def outside_region() -> bytes:
    """A clip whose calibrated region lies outside of its pixels."""
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 84, 31
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 595, 414
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.03
    return as_bytes(dataset(WAVES, SequenceOfUltrasoundRegions=[region]))
