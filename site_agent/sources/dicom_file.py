"""A DICOM file up to its pixels (PS3.10): the header, read within bounds, and the place where the pixels lie."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from federated.errors import DataError
from site_agent.sources.source import check_file

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

PREAMBLE, MAGIC = 128, b"DICM"
FIRST_BYTES = PREAMBLE + len(MAGIC)
MAX_META_BYTES = 2**16
MAX_HEADER_BYTES = 64 * 2**20
MAX_HEADER_READS = 10**6  # an element takes two or three
MAX_VALUE_BYTES = 2**20  # what is longer, as a volume in a private element, is left out
MAX_INFLATED_BYTES = 256 * 2**20
CHUNK = 2**20
UNDEFINED = 0xFFFFFFFF
PIXEL_TAGS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
FIRST_GROUPS = {2, 8}  # of a data set: file meta information, or identification
LAST_FIRST_ELEMENT = 0x18  # (0008,0018) SOP Instance UID
LONG_VRS = {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV"}
NUMBERS = {"DS", "IS", "US", "SS", "UL", "SL", "FD", "FL"}
SHORT_VRS = {b"UL", b"UI", b"CS", b"DA", b"SH", b"LO", b"TM", b"AE"}


@dataclass(frozen=True)
class Place:
    """Where the value of the pixel data lies in the stream.

    Attributes:
        offset: of its first byte.
        length: in bytes; None where it is encapsulated in items.
        left: bytes from its start to the end of the stream.
        keyword: PixelData, or one of its floating point relatives.
        vr: value representation, "" where it is implicit.
    """

    offset: int
    length: int | None
    left: int
    keyword: str
    vr: str


@dataclass(frozen=True)
class DicomFile:
    """A file whose header has been read.

    Attributes:
        path: of the file.
        header: without pixels; it identifies a patient.
        syntax: transfer syntax.
        start: offset of the data set, behind preamble and file meta information.
        place: of the pixels; None where there are none.
        doubts: lines on what was left out.
    """

    path: Path
    header: Dataset
    syntax: UID
    start: int
    place: Place | None
    doubts: tuple[str, ...]

    def stream(self) -> BinaryIO:
        """What `place` is an offset in: the file, or the data set inflated.

        Raises:
            DataError: it cannot be read any more.
        """
        with sheltered("cannot be read any more"):
            return _stream(self.path, self.syntax, self.start)


@contextmanager
def sheltered(reason: str) -> Iterator[None]:
    """Nothing that a decoder warns of or logs gets out, for it may quote the header; what it raises becomes one line.

    Raises:
        DataError: with the reason, whatever was raised.
    """
    from pydicom.config import disable_value_validation

    was = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    except DataError:
        raise
    except MemoryError:
        raise DataError("takes more memory than there is") from None
    except Exception:  # noqa: BLE001  # decoders raise whatever broken bytes lead them to
        raise DataError(reason) from None
    finally:
        logging.disable(was)


def looks_like_dicom(head: bytes) -> bool:
    """Whether the first 132 bytes are those of a DICOM file, or of a data set without preamble."""
    if head[PREAMBLE:FIRST_BYTES] == MAGIC:
        return True
    if len(head) < 8:
        return False
    vr = head[4:6]
    for order in "<>":
        group, element = struct.unpack(f"{order}HH", head[:4])
        if group in FIRST_GROUPS and element <= LAST_FIRST_ELEMENT:
            implicit = order == "<" and struct.unpack("<I", head[4:8])[0] <= PREAMBLE
            return vr in SHORT_VRS or vr in LONG_VRS or implicit
    return False


def read_dicom(path: Path) -> DicomFile:
    """The file up to its pixels.

    Raises:
        DataError: not DICOM, damaged, or too large.
    """
    check_file(path)
    with sheltered("is damaged: its header cannot be read"):
        try:
            with path.open("rb") as file:
                head = file.read(FIRST_BYTES + MAX_META_BYTES)
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror})") from None
        if not looks_like_dicom(head):
            raise DataError("is not DICOM")
        return _read(path, head)


def _read(path: Path, head: bytes) -> DicomFile:
    from pydicom.filereader import read_partial

    start = _meta_end(head)
    meta = read_partial(io.BytesIO(head[:start]), force=True).file_meta if start else None
    syntax = _syntax(meta, head[start : start + 8])
    with _stream(path, syntax, start) as stream:
        header, place = _dataset(stream, syntax)
    doubts = (*_without_long_values(header), *_settled(header))
    if meta is not None:
        header.file_meta = meta
        _settled(meta)
    return DicomFile(path, header, syntax, start, place, doubts)


def _meta_end(head: bytes) -> int:
    """Where file meta information ends: elements of group 2, explicit little endian (PS3.10, 7.1)."""
    place = FIRST_BYTES if head[PREAMBLE:FIRST_BYTES] == MAGIC else 0
    while head[place : place + 2] == b"\2\0" and place + 12 <= len(head):
        vr = head[place + 4 : place + 6]
        if vr in LONG_VRS:
            place += 12 + struct.unpack_from("<I", head, place + 8)[0]
        elif vr.isalpha() and vr.isupper():
            place += 8 + struct.unpack_from("<H", head, place + 6)[0]
        else:
            place += 8 + struct.unpack_from("<I", head, place + 4)[0]
    if place > len(head):
        raise DataError("is damaged: its file meta information does not end")
    return place


def _syntax(meta: Dataset | None, first: bytes) -> UID:
    """As the file says; where it says nothing, as its first element looks."""
    from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    said = str(meta.get("TransferSyntaxUID", "") or "") if meta is not None else ""
    if said:
        return UID(said)
    if first[4:6] not in SHORT_VRS | LONG_VRS:
        return ImplicitVRLittleEndian
    return ExplicitVRBigEndian if first[:1] == b"\0" else ExplicitVRLittleEndian


def _stream(path: Path, syntax: UID, start: int) -> BinaryIO:
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    if syntax != DeflatedExplicitVRLittleEndian:
        file = path.open("rb")
        file.seek(start)
        return file
    with path.open("rb") as file:
        file.seek(start)
        return io.BytesIO(_inflated(file))


def _inflated(file: BinaryIO) -> bytes:
    """A deflated data set (PS3.5, A.5), of no more bytes than may be held."""
    inflater, parts, total = zlib.decompressobj(-zlib.MAX_WBITS), [], 0
    while not inflater.eof and (data := inflater.unconsumed_tail or file.read(CHUNK)):
        part = inflater.decompress(data, MAX_INFLATED_BYTES - total + 1)
        total += len(part)
        if total > MAX_INFLATED_BYTES:
            raise DataError(f"inflates to more than {MAX_INFLATED_BYTES // 2**20} MiB, which is not read")
        parts.append(part)
    if not inflater.eof:
        raise DataError("is cut off: its deflated data does not end")
    return b"".join(parts)


class _Bounded(io.RawIOBase):
    """A stream for a parser that believes every length it reads: it gives what is there, and not without end."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.stream, self.size, self.reads, self.taken = stream, size, 0, 0

    def read(self, count: int = -1) -> bytes:
        left = max(self.size - self.stream.tell(), 0)
        count = left if count < 0 else min(count, left)
        self.reads, self.taken = self.reads + 1, self.taken + count
        if self.reads > MAX_HEADER_READS or self.taken > MAX_HEADER_BYTES:
            raise DataError("has a longer header than is read")
        return self.stream.read(count)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        return self.stream.tell()


def _dataset(stream: BinaryIO, syntax: UID) -> tuple[Dataset, Place | None]:
    from pydicom.filereader import read_dataset
    from pydicom.tag import BaseTag
    from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian
    from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

    found: list[tuple[int, str | None, int]] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag in PIXEL_TAGS:
            found.append((int(tag), vr, length))
        return tag in PIXEL_TAGS

    start = stream.tell()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(start)
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    bounded: BinaryIO = _Bounded(stream, size)  # type: ignore[assignment]
    dataset = read_dataset(bounded, implicit, little, stop_when=at_pixels, defer_size=MAX_VALUE_BYTES)
    if not found:
        return dataset, None
    tag, vr, length = found[-1]
    offset = stream.tell() + (12 if vr in EXPLICIT_VR_LENGTH_32 else 8)
    known = None if length == UNDEFINED else length
    return dataset, Place(offset, known, max(size - offset, 0), PIXEL_TAGS[tag], vr or "")


def _without_long_values(header: Dataset) -> tuple[str, ...]:
    """The parser has skipped them, and has their length alone."""
    from pydicom.dataelem import RawDataElement

    elements: list[Any] = list(header.values())
    long = [each.tag for each in elements if isinstance(each, RawDataElement) and each.value is None and each.length]
    for tag in long:
        del header[tag]
    return (f"{len(long)} values of over {MAX_VALUE_BYTES} bytes were left out of the header",) if long else ()


def _settled(header: Dataset) -> tuple[str, ...]:
    """Reads every element for good, text as UTF-8, so that nobody is surprised later; what cannot be read goes."""
    bad = _settle(header)
    return (f"{bad} values of the header cannot be read and were left out",) if bad else ()


def _settle(dataset: Dataset) -> int:
    bad = 0
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
            if element.VR == "SQ":
                bad += sum(_settle(item) for item in element.value)
            elif element.VR == "PN":
                element.value = _plain(element.value)
            elif not _as_expected(element):
                raise DataError("is no number")
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001  # pydicom raises whatever broken bytes lead it to
            bad += 1
            del dataset[tag]
    if "SpecificCharacterSet" in dataset:
        dataset.SpecificCharacterSet = "ISO_IR 192"
    return bad


def _as_expected(element: DataElement) -> bool:
    """Whether what should be numbers are numbers; pydicom leaves those that it cannot read as text or bytes."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR
    from pydicom.multival import MultiValue

    value = element.value
    values = list(value) if isinstance(value, MultiValue | list) else [value]
    expected = dictionary_VR(element.tag) if dictionary_has_tag(element.tag) else element.VR
    if expected not in NUMBERS:
        return True
    return all(one is None or one == "" or isinstance(one, int | float) for one in values)


def _plain(names: Any) -> str | list[str]:
    from pydicom.multival import MultiValue

    return [str(name) for name in names] if isinstance(names, MultiValue) else str(names or "")
