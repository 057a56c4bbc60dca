"""What a reader sees in one file, and what taking it in would do: nothing is written, and nobody is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from federated.manifest import Frozen
from site_agent.intake.blanking import blank
from site_agent.intake.header_fields import HeaderFields, header_fields
from site_agent.intake.preparation import LOOKED_AT, RAW_BYTES, Look, Prepared, Rules, prepare
from site_agent.progress import track
from site_agent.sources import sources
from site_agent.sources.files import open_file, opener_of, told_by_contents
from site_agent.sources.images import open_cine
from site_agent.sources.source import Mode, Opened, Pixels, Region, check_file

Box = tuple[int, int, int, int]
INDEXES = "images"  # the source that reads lists and folders of files
DICOM = "dicom"


class Values(Frozen):
    """Of all pixels of all frames, colours each for itself."""

    type: str
    least: float
    greatest: float
    mean: float


class RegionSeen(Frozen):
    """A calibrated region: box with both ends inside, height and width of a pixel in millimetres."""

    data_type: str
    box: Box
    spacing_mm: tuple[float, float] | None


class SectorSeen(Frozen):
    """The ultrasound sector: box with both ends inside, quality from 0 to 1."""

    kind: str
    quality: float
    box: Box


class Blanking(Frozen):
    """What blanking takes away, as of `Blanked`."""

    pixels: float
    bright: float
    text_outside: int
    marks_inside: float


class Outcome(Frozen):
    """What taking it in would come to.

    Attributes:
        state: ``taken``, ``quarantined``, ``apart`` or ``refused``, and why.
        mode: of the image.
        text_inside: boxes of what may be burnt-in text in the sector, or in the image where none was found.
        blanking: None where nothing would be taken away.
        working: height and width of the working images; None where it is not taken.
    """

    state: Literal["taken", "quarantined", "apart", "refused"]
    reason: str
    mode: Mode = ""
    sector: SectorSeen | None = None
    text_inside: tuple[Box, ...] = ()
    blanking: Blanking | None = None
    working: tuple[int, int] | None = None


class Inspection(Frozen):
    """One file.

    Attributes:
        format: its source's name, or ``image`` or ``video`` for files that a folder or index brings.
        told_by: what it was recognised by.
        encoding: how pixels lie in the file, by name.
        stored: values as they lie there, where these are not the ones that are shown: indices of a palette, deep grey.
        shown: values of eight bits, as everything after the reader sees them.
        header: of DICOM.
    """

    file: str
    format: str
    told_by: Literal["contents", "name"]
    bytes: int
    encoding: dict[str, str]
    frames: int
    height: int
    width: int
    colours: int
    spacing_mm: tuple[float, float] | None
    rate_hz: float | None
    regions: tuple[RegionSeen, ...]
    modality: str
    maker: str
    model: str
    stored: Values | None
    shown: Values
    outcome: Outcome
    header: HeaderFields | None
    doubts: tuple[str, ...]


class Form(NamedTuple):
    """How a file is kept."""

    name: str
    told_by: Literal["contents", "name"]
    needs_sector: bool


def inspect(path: Path, *, watched: bool = False) -> Inspection:
    """Looks at a file; `watched`: with a progress bar if it takes long.

    Raises:
        DataError: it is no file, or cannot be read.
    """
    if path.is_dir():
        raise DataError("is a folder", cure="name files; consilium site ingest takes folders in")
    size = check_file(path)
    form = form_of(path)
    opened = _open(path, form)
    facts = opened.facts
    header = header_fields(facts.header) if facts.header is not None else None
    count, first, shown = _measured(_watched(opened, path) if watched else opened.frames())
    return Inspection(
        file=str(path),
        format=form.name,
        told_by=form.told_by,
        bytes=size,
        encoding=dict(facts.encoding),
        frames=count,
        height=first.shape[0],
        width=first.shape[1],
        colours=first.shape[2] if first.ndim == 3 else 1,
        spacing_mm=facts.spacing_mm,
        rate_hz=facts.rate_hz,
        regions=tuple(map(_region, facts.regions)),
        modality=_kept(header, "Modality", facts.modality),
        maker=_kept(header, "Manufacturer", facts.maker),
        model=_kept(header, "ManufacturerModelName", facts.model),
        stored=_stored(path, first) if form.name == DICOM else None,
        shown=shown,
        outcome=_outcome(opened, Rules(needs_sector=form.needs_sector)),
        header=header,
        doubts=facts.doubts,
    )


def _kept(header: HeaderFields | None, field: str, value: str) -> str:
    """What a field says, if de-identification leaves it: people write names anywhere."""
    return "" if header is not None and field in {*header.removed, *header.changed} else value


def form_of(path: Path) -> Form:
    """The form that a source recognises, else that of a still or a video.

    Raises:
        DataError: no reader takes it, or it is a list of images.
    """
    source = next((source for source in sources() if source.recognises(path)), None)
    if source is not None and source.name == INDEXES:
        raise DataError("is a list of images and no image", cure="consilium site ingest takes it in")
    if source is not None:
        contents = source.name == DICOM or told_by_contents(path)
        return Form(source.name, "contents" if contents else "name", source.needs_sector)
    by: Literal["contents", "name"] = "contents" if told_by_contents(path) else "name"
    return Form("video" if opener_of(path) is open_cine else "image", by, needs_sector=False)


def _open(path: Path, form: Form) -> Opened:
    if form.name == DICOM:
        from site_agent.sources.dicom import open_dicom

        return open_dicom(path)
    return open_file(path)


def _watched(opened: Opened, path: Path) -> Iterator[Pixels]:
    return track(opened.frames(), total=opened.count or 1, what=f"looking at {path.name}")


def _region(region: Region) -> RegionSeen:
    return RegionSeen(data_type=region.data_type, box=region.box, spacing_mm=region.spacing_mm)


def _measured(frames: Iterable[NDArray[Any]]) -> tuple[int, NDArray[Any], Values]:
    """How many frames there are, the first of them, and their values, one frame at a time in memory."""
    first: NDArray[Any] | None = None
    count, total, least, greatest = 0, 0.0, np.inf, -np.inf
    for frame in frames:
        first = frame if first is None else first
        count += 1
        total += float(frame.mean(dtype=np.float64))
        least, greatest = min(least, float(frame.min())), max(greatest, float(frame.max()))
    if first is None:
        raise DataError("holds no frame")
    return count, first, Values(type=str(first.dtype), least=least, greatest=greatest, mean=total / count)


def _stored(path: Path, shown: NDArray[Any]) -> Values | None:
    """Values before palettes and windows; None where the first frame has none but those that are shown."""
    from site_agent.sources.dicom import decoded

    frames = decoded(path)
    first = next(frames)
    return None if np.array_equal(first, shown) else _measured(chain([first], frames))[2]


def _outcome(opened: Opened, rules: Rules) -> Outcome:
    try:
        prepared = prepare(opened, rules)
    except DataError as error:
        return Outcome(state="refused", reason=error.what)
    look = prepared.look
    assert look is not None
    return Outcome(
        state=prepared.state,
        reason=prepared.reason,
        mode=look.mode,
        sector=_sector(look),
        text_inside=look.text,
        blanking=_blanking(opened, prepared, look),
        working=prepared.frames.shape[1:] if prepared.state == "taken" else None,
    )


def _sector(look: Look) -> SectorSeen | None:
    if look.sector is None:
        return None
    return SectorSeen(kind=look.sector.kind, quality=round(look.sector.quality, 3), box=look.sector.box())


def _blanking(opened: Opened, prepared: Prepared, look: Look) -> Blanking | None:
    """The account of what is taken away; of what is set aside, what would be."""
    account = prepared.blanked
    if account is None and prepared.state == "quarantined" and look.sector is not None:
        first = next(frames := opened.frames())
        some = [first, *islice(frames, min(LOOKED_AT, RAW_BYTES // first.nbytes) - 1)]
        _, account = blank(np.stack(some), look.sector, look.marks, len(look.outside))
    return Blanking(**asdict(account)) if account is not None else None
