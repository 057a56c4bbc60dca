"""What a source of images is: a form in which a hospital keeps them.

A source lists its items without reading a pixel, and opens one of them when it is asked for. What it says of an item is
still the hospital's own: names and numbers of patients are turned into pseudonyms, and pixels are de-identified, by
whoever takes the item in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from federated.contract import Tensors
from federated.errors import DataError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Pixels = NDArray[np.uint8]
Mode = Literal["", "b", "colour", "m", "spectral"]
Relation = Literal["same", "narrower", "broader"]
AnnotationKind = Literal["mask", "polygon", "curve", "points", "chords"]

MAX_FILE_BYTES = 2 * 2**30
MAX_FRAME_PIXELS = 64 * 10**6
MAX_FRAMES = 10_000
MAX_CLIP_PIXELS = 4 * 10**9  # of all frames of a clip, of which one at a time is in memory


@dataclass(frozen=True)
class Item:
    """An image or a clip as a source lists it, before a pixel is read. It can be pickled.

    Attributes:
        name: as the source names it, for the eyes of a person at the hospital; it may identify a patient.
        path: absolute, of the file with the pixels.
        companions: other files that say something of it (a mask, a table of its own).
        patient, clip, label: the hospital's own words, "" where the listing does not say; `Facts` may.
        site: as an index says it, to choose rows by.
        frames: the numbers, from 0, of the frames that are asked for; None leaves the choice to the taking in.
        fold: the split that is asked for: train, validation, calibration, test, or None.
        known: what tables say of it, for `open` to put into its facts; whatever pickles.
    """

    name: str
    path: Path
    companions: tuple[Path, ...] = ()
    patient: str = ""
    clip: str = ""
    label: str = ""
    site: str = ""
    frames: tuple[int, ...] | None = None
    fold: str | None = None
    known: Any = None


@dataclass(frozen=True)
class Refused:
    """Something listed that cannot be an item: one line says why."""

    name: str
    path: Path
    reason: str


@dataclass(frozen=True)
class Region:
    """A calibrated region of an ultrasound image (PS3.3 C.8.5.5).

    Attributes:
        box: first and last column and row: x0, y0, x1, y1, both ends inside.
        data_type: "tissue", "colour", "spectral", "m" or "other".
        spacing_mm: height and width of a pixel where both axes are lengths, else None.
    """

    box: tuple[int, int, int, int]
    data_type: Literal["tissue", "colour", "spectral", "m", "other"]
    spacing_mm: tuple[float, float] | None


@dataclass(frozen=True)
class Annotation:
    """What an expert drew in one frame, in the pixels of the frame as it lies in the source.

    Attributes:
        frame: its number, from 0.
        name: of the structure, as in ``lv`` or ``lv-apex-endo``; of a mask, of the set of its labels.
        kind: what `values` are: mask (H, W) uint8 labels; polygon (closed) and curve (open) (N, 2) x, y; points
            (N, 2); chords (N, 4) x1, y1, x2, y2, the first one the long axis.
        values: the array.
    """

    frame: int
    name: str
    kind: AnnotationKind
    values: NDArray[Any]


@dataclass(frozen=True)
class Facts:
    """What a source says of an item, once it is open. "" and None stand for what it does not say.

    Attributes:
        patient, clip, label, fold: as of `Item`, whose own words count where it has any.
        contrast: whether a contrast agent was given.
        mode: what the header says of the image mode.
        modality: of DICOM; "US" elsewhere.
        maker, model: of the machine.
        spacing_mm: height and width of a pixel.
        rate_hz: frames a second.
        regions: calibrated regions.
        ejection_fraction: percent.
        end_diastolic_ml, end_systolic_ml: volumes.
        end_diastole, end_systole: numbers of frames, from 0.
        measures: other numbers by name and unit, as in ``IVSd_mm``.
        words: what a public data set says in words of a fixed list, as in ``sex`` or ``diagnosis``.
        masked: whether the publisher has already taken away whatever lay outside the sector.
        encoding: how pixels lie in the file, by name, for a person.
        doubts: lines on what was not believed and left out.
        header: of DICOM, without pixels, as it came: it identifies a patient.
    """

    patient: str = ""
    clip: str = ""
    label: str = ""
    fold: str | None = None
    contrast: bool | None = None
    mode: Mode = ""
    modality: str = "US"
    maker: str = ""
    model: str = ""
    spacing_mm: tuple[float, float] | None = None
    rate_hz: float | None = None
    regions: tuple[Region, ...] = ()
    ejection_fraction: float | None = None
    end_diastolic_ml: float | None = None
    end_systolic_ml: float | None = None
    end_diastole: int | None = None
    end_systole: int | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    masked: bool = False
    encoding: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    header: Dataset | None = None


@dataclass(frozen=True)
class Opened:
    """An item that is open; pixels are decoded as `frames` is gone through.

    Attributes:
        count: number of frames; None where only decoding tells.
        moving: whether it is a clip, whose frames have numbers, rather than a still.
        facts: what the source says of it.
        frames: begins anew at the first frame: (H, W) grey or (H, W, 3) RGB, all of one shape. It raises `DataError`
            where the file is damaged.
        annotations: drawn by an expert; it raises `DataError` where they do not fit.
        first: number in the file of the first frame, where these are a section of it.
        beside: arrays by name that are kept beside the working images as they are.
    """

    count: int | None
    moving: bool
    facts: Facts
    frames: Callable[[], Iterator[Pixels]]
    annotations: Callable[[], tuple[Annotation, ...]] = tuple
    first: int = 0
    beside: Callable[[], Tensors] = dict


class Source(Protocol):
    """A form in which a hospital keeps images."""

    @property
    def name(self) -> str:
        """As in ``--format``."""

    @property
    def about(self) -> str:
        """What it is, in a few words."""

    @property
    def labels(self) -> tuple[tuple[str, str, Relation], ...]:
        """The form's own words with the codes that they stand for and how: (word, code, relation)."""

    @property
    def needs_sector(self) -> bool:
        """Whether an image without an ultrasound sector is set aside."""

    def recognises(self, root: Path) -> bool:
        """Whether the folder or file has this form, by names and first bytes alone, in well under a second."""

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """The items in an order that is always the same; what cannot be one comes with its reason.

        Raises:
            DataError: nothing of it can be used, as where a table lacks a column.
        """

    def open(self, item: Item) -> Opened:
        """The item, its header read and checked and no pixel decoded.

        Raises:
            DataError: it cannot be read; `what` is the reason in one line, and names no file.
        """


def check_size(width: int, height: int, frames: int = 1) -> None:
    """Refuses dimensions that no ultrasound machine makes, before memory is taken for them.

    Raises:
        DataError: none, or too many pixels or frames.
    """
    if width < 1 or height < 1 or frames < 1:
        raise DataError(f"says it has {frames} frames of {width}x{height} pixels")
    if width * height > MAX_FRAME_PIXELS:
        raise DataError(f"says it has {width}x{height} pixels, at most {MAX_FRAME_PIXELS // 10**6} million are read")
    if frames > MAX_FRAMES or frames * width * height > MAX_CLIP_PIXELS:
        raise DataError(f"says it has {frames} frames of {width}x{height} pixels, which is more than is read")


def check_file(path: Path) -> int:
    """Size of a file that may be opened, in bytes.

    Raises:
        DataError: it is not a file, is empty or too long, or may not be read.
    """
    try:
        size = path.stat().st_size if path.is_file() else -1
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from error
    if size < 0:
        raise DataError("is not there, or is no file")
    if size == 0:
        raise DataError("is empty")
    if size > MAX_FILE_BYTES:
        raise DataError(f"has {size} bytes, at most {MAX_FILE_BYTES} are read")
    return size
