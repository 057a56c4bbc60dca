"""The pixels of DICOM files, frame by frame: native, compressed or video, as grey levels or colours of eight bits.

Decoders: pydicom itself for native and RLE, Pillow for JPEG, CharLS for JPEG-LS, OpenJPEG for JPEG 2000 and its high
throughput form, FFmpeg for JPEG lossless and video. Each form has one decoder, so that a frame does not depend on what
else is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.sources.dicom_file import DicomFile, Place, sheltered
from site_agent.sources.dicom_fragments import END_OF_IMAGE, TAIL, Parts, codestream, frame_parts, items, joined
from site_agent.sources.dicom_jpeg_lossless import jpeg_lossless_decoder
from site_agent.sources.dicom_tables import grey, palette
from site_agent.sources.dicom_video import video_frames
from site_agent.sources.source import Pixels, check_size

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

NATIVE = frozenset(
    {"ImplicitVRLittleEndian", "ExplicitVRLittleEndian", "ExplicitVRBigEndian", "DeflatedExplicitVRLittleEndian"}
)
FFMPEG = "ffmpeg"
DECODERS: Mapping[str, str] = {  # transfer syntax -> plugin of pydicom, or FFmpeg
    "RLELossless": "pydicom",
    "JPEGBaseline8Bit": "pillow",
    "JPEGExtended12Bit": "pillow",
    "JPEGLossless": FFMPEG,
    "JPEGLosslessSV1": FFMPEG,
    "JPEGLSLossless": "pyjpegls",
    "JPEGLSNearLossless": "pyjpegls",
    "JPEG2000Lossless": "pylibjpeg",
    "JPEG2000": "pylibjpeg",
    "HTJ2KLossless": "pylibjpeg",
    "HTJ2KLosslessRPCL": "pylibjpeg",
    "HTJ2K": "pylibjpeg",
}
UNENDING = {"JPEGLSLossless", "JPEGLSNearLossless"}  # whose decoder looks for the end for seconds where there is none
VIDEO_NAMES = ("MPEG2", "MPEG4", "HEVC")
GREY, COLOUR = {"MONOCHROME1", "MONOCHROME2"}, {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"}
VIDEO_COLOUR = COLOUR | {"YBR_PARTIAL_420", "YBR_PARTIAL_422"}
PALETTE = "PALETTE COLOR"
DEPTHS = {1, 8, 16}
SLACK = 2**20  # what a frame may grow by when it is compressed, besides twice its size
VIDEO_SLACK = 2  # frames that a codec may hold back at the end, though the header counts them
CURE = "pip install 'consilium[dicom]'"


@dataclass(frozen=True)
class Layout:
    """How pixels lie in a file, as the header says (PS3.3, C.7.6.3).

    Attributes:
        syntax: transfer syntax.
        rows, columns, frames: sizes.
        samples: of a pixel, 1 or 3.
        allocated, stored: bits of a sample.
        signed: whether samples are two's complement.
        photometric: interpretation.
        planar: 1 where colours lie plane by plane.
    """

    syntax: UID
    rows: int
    columns: int
    frames: int
    samples: int
    allocated: int
    stored: int
    signed: bool
    photometric: str
    planar: int

    @property
    def native(self) -> bool:
        """Whether samples lie there uncompressed."""
        return self.syntax.keyword in NATIVE

    @property
    def video(self) -> bool:
        """Whether all frames are one stream."""
        return self.syntax.keyword.startswith(VIDEO_NAMES)

    @property
    def frame_bits(self) -> int:
        """Of a native frame."""
        samples = 2 if self.photometric == "YBR_FULL_422" and self.native else self.samples
        return self.rows * self.columns * samples * self.allocated

    def options(self, place: Place, frames: int) -> dict[str, Any]:
        """For a decoder of pydicom."""
        chosen = {
            "rows": self.rows,
            "columns": self.columns,
            "number_of_frames": frames,
            "samples_per_pixel": self.samples,
            "bits_allocated": self.allocated,
            "bits_stored": self.stored,
            "pixel_representation": int(self.signed),
            "photometric_interpretation": self.photometric,
            "pixel_keyword": "PixelData",
            "pixel_vr": place.vr or "OW",
        }
        return chosen | ({"planar_configuration": self.planar} if self.samples > 1 else {})


def layout_of(dicom: DicomFile) -> Layout:
    """How the pixels lie, checked against what is read.

    Raises:
        DataError: there are none, they are not such as are read, or their decoder is missing.
    """
    header, syntax = dicom.header, dicom.syntax
    if dicom.place is None:
        raise DataError(_without_pixels(header))
    if dicom.place.keyword != "PixelData":
        raise DataError("has floating point pixels, which are not read")
    _check_syntax(syntax)
    layout = Layout(
        syntax=syntax,
        rows=_number(header, "Rows"),
        columns=_number(header, "Columns"),
        frames=_number(header, "NumberOfFrames", 1) or 1,
        samples=_number(header, "SamplesPerPixel", 1),
        allocated=_number(header, "BitsAllocated"),
        stored=_number(header, "BitsStored", _number(header, "BitsAllocated")),
        signed=_number(header, "PixelRepresentation", 0) == 1,
        photometric=str(header.get("PhotometricInterpretation") or "").strip(),
        planar=_number(header, "PlanarConfiguration", 0),
    )
    check_size(layout.columns, layout.rows, layout.frames)
    _check_samples(layout)
    return layout


def check_pixels(dicom: DicomFile, layout: Layout) -> None:
    """Whether all bytes of the frames are there, and what their values stand for; nothing is decoded.

    Raises:
        DataError: as it says.
    """
    with sheltered("is damaged: its pixels are not as its header says"):
        _display(dicom.header, layout)
        if layout.native:
            _check_length(dicom, layout)
            return
        with dicom.stream() as stream:
            _parts(stream, dicom, layout)


def stored_frames(dicom: DicomFile, layout: Layout) -> Iterator[NDArray[Any]]:
    """Frames as they are decoded, (H, W) or (H, W, 3): before palettes and windows, though colours are RGB.

    Raises:
        DataError: the file is damaged.
    """
    with dicom.stream() as stream:
        frames = _native(stream, dicom, layout) if layout.native else _compressed(stream, dicom, layout)
        count = 0
        while count < layout.frames:
            with sheltered(f"is damaged: its pixels cannot be decoded as {layout.syntax.name}"):
                frame = next(frames, None)
            if frame is None:
                if layout.video and 0 < count >= layout.frames - VIDEO_SLACK:
                    return
                raise DataError(f"says it has {layout.frames} frames, but holds {count}")
            yield frame
            count += 1


def shown_frames(dicom: DicomFile, layout: Layout) -> Iterator[Pixels]:
    """Frames of eight bits: (H, W) grey or (H, W, 3) RGB.

    Raises:
        DataError: the file is damaged.
    """
    with sheltered("is damaged: its pixels are not as its header says"):
        display = _display(dicom.header, layout)
    for frame in stored_frames(dicom, layout):
        yield display(frame)


def _without_pixels(header: Dataset) -> str:
    from pydicom.uid import UID

    kind = UID(str(header.get("SOPClassUID") or ""))
    if not kind.keyword or "Image" in kind.name:
        return "holds no pixels, or is cut off before them"
    return f"holds no image but {kind.name}"


def _number(header: Dataset, keyword: str, default: int | None = None) -> int:
    value = header.get(keyword)
    if value is None or value == "":
        value = default
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"has no {keyword}, or not one number") from None


def _check_syntax(syntax: UID) -> None:
    known = syntax.keyword in NATIVE or syntax.keyword in DECODERS or syntax.keyword.startswith(VIDEO_NAMES)
    if not known:
        name = syntax.name if syntax.keyword else "a private or unknown transfer syntax"
        raise DataError(f"is coded as {name}, which is not read", cure="export it anew, uncompressed or as JPEG 2000")
    if syntax.keyword not in NATIVE and not _decodes(syntax):
        raise DataError(f"is compressed as {syntax.name}; its decoder is missing", cure=CURE)


def _decodes(syntax: UID) -> bool:
    from pydicom.pixels import get_decoder

    if DECODERS.get(syntax.keyword, FFMPEG) == FFMPEG:
        return find_spec("av") is not None
    return DECODERS[syntax.keyword] in (get_decoder(syntax).available_plugins or ("pydicom",))


def _check_samples(layout: Layout) -> None:
    one = GREY | {PALETTE}
    three = VIDEO_COLOUR if layout.video else COLOUR
    if layout.photometric not in (one if layout.samples == 1 else three if layout.samples == 3 else ()):
        raise DataError(f"has {layout.samples} samples a pixel of a photometric interpretation that is not read")
    if layout.allocated not in DEPTHS or not 1 <= layout.stored <= layout.allocated:
        raise DataError(f"stores {layout.stored} bits in {layout.allocated} a sample, which is not read")
    if layout.planar not in {0, 1}:
        raise DataError("has a planar configuration that is neither 0 nor 1")
    if layout.syntax.keyword == "JPEGExtended12Bit" and layout.stored != 8:
        raise DataError("is JPEG of 12 bits, for which there is no decoder", cure="export it anew, uncompressed")


def _check_length(dicom: DicomFile, layout: Layout) -> None:
    place = dicom.place
    assert place is not None
    needed = (layout.frame_bits * layout.frames + 7) // 8
    there = place.left if place.length is None else min(place.length, place.left)
    if there < needed:
        cut = "is cut off: " if place.length is not None and place.length > place.left else ""
        raise DataError(f"{cut}holds {there} bytes of pixels where its header asks for {needed}")


def _parts(stream: BinaryIO, dicom: DicomFile, layout: Layout) -> list[Parts]:
    place = dicom.place
    assert place is not None
    if place.length is not None:
        raise DataError("is damaged: its pixels are said to be compressed, but lie there in one piece")
    if layout.video:
        return [tuple(items(stream, place.offset)[1:])]
    return frame_parts(stream, place.offset, layout.frames)


def _native(stream: BinaryIO, dicom: DicomFile, layout: Layout) -> Iterator[NDArray[Any]]:
    from pydicom.pixels import get_decoder

    place = dicom.place
    assert place is not None
    decoder, options = get_decoder(layout.syntax), layout.options(place, layout.frames)
    for index in range(layout.frames):
        stream.seek(place.offset)
        yield decoder.as_array(stream, index=index, **options)[0]


def _compressed(stream: BinaryIO, dicom: DicomFile, layout: Layout) -> Iterator[NDArray[Any]]:
    frames = _parts(stream, dicom, layout)
    if layout.video:
        yield from _video(stream, frames[0], layout)
        return
    decode = _decoder(dicom, layout)
    limit = 2 * layout.frame_bits // 8 + SLACK
    for parts in frames:
        if sum(part.length for part in parts) > limit:
            raise DataError("is damaged: a frame is longer compressed than it can be")
        data = joined(stream, parts)
        if layout.syntax.keyword != "RLELossless":
            _check_codestream(data, layout)
        yield decode(data)


def _video(stream: BinaryIO, parts: Parts, layout: Layout) -> Iterator[NDArray[Any]]:
    for frame in video_frames(stream, parts, layout.columns, layout.rows):
        yield frame if layout.samples == 3 else frame[..., 0]


def _decoder(dicom: DicomFile, layout: Layout) -> Callable[[bytes], NDArray[Any]]:
    """Decodes one frame."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder

    assert dicom.place is not None
    plugin = DECODERS[layout.syntax.keyword]
    if plugin == FFMPEG:
        return _lossless(layout)
    decoder, options = get_decoder(layout.syntax), layout.options(dicom.place, 1)
    if "planar_configuration" in options:
        options["planar_configuration"] = 0  # as these decoders have colours, whatever the header says

    def decode(data: bytes) -> NDArray[Any]:
        item = encapsulate([data], has_bot=False)
        return decoder.as_array(item, index=0, decoding_plugin=plugin, **options)[0]

    return decode


def _lossless(layout: Layout) -> Callable[[bytes], NDArray[Any]]:
    from pydicom.pixels import convert_color_space

    decode = jpeg_lossless_decoder()

    def finished(data: bytes) -> NDArray[Any]:
        values = decode(data)
        if layout.photometric.startswith("YBR_FULL"):
            return convert_color_space(values, "YBR_FULL", "RGB")
        return _with_sign(values, layout.stored) if layout.signed else values

    return finished


def _with_sign(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Two's complement of so many bits."""
    unused = 8 * values.itemsize - bits
    return values.view(f"i{values.itemsize}") << unused >> unused


def _check_codestream(data: bytes, layout: Layout) -> None:
    said = codestream(data)
    if said is None or (layout.syntax.keyword in UNENDING and END_OF_IMAGE not in data[-TAIL:]):
        raise DataError(f"is damaged: a frame is not whole {layout.syntax.name}")
    if (said.width, said.height) != (layout.columns, layout.rows):
        size = f"{layout.columns}x{layout.rows}"
        raise DataError(f"has a compressed frame of {said.width}x{said.height}, its header says {size}")
    if said.samples != layout.samples or said.bits > layout.allocated:
        raise DataError(f"has a compressed frame of {said.samples} samples of {said.bits} bits, its header says other")


def _display(header: Dataset, layout: Layout) -> Callable[[NDArray[Any]], Pixels]:
    """From stored values to what is seen."""
    if layout.photometric == PALETTE:
        return palette(header)
    if layout.photometric in GREY:
        if layout.photometric == "MONOCHROME2" and layout.stored == 8 and not layout.signed:
            return _as_bytes
        return grey(header, layout.stored, signed=layout.signed)
    shift = layout.stored - 8
    return lambda frame: _as_bytes(frame >> shift if shift > 0 else frame)


def _as_bytes(frame: NDArray[Any]) -> Pixels:
    return np.ascontiguousarray(frame, np.uint8)
