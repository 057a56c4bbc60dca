"""A clip of the heart as its working frames, from one file or a folder of frames, with what was drawn beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.intake.preparation import Prepared, Rules, Transform, prepare
from site_agent.registration.image_files import is_nifti
from site_agent.sources.files import METAIMAGE_SUFFIXES, SUFFIXES, open_file
from site_agent.sources.index_masks import read_picture
from site_agent.sources.metaimage import MetaImageSource
from site_agent.sources.metaimage_volume import read_volume as read_metaimage
from site_agent.sources.nifti import NiftiSource
from site_agent.sources.nifti import read_volume as read_nifti
from site_agent.sources.source import Opened, Pixels, Refused

RULES = Rules(cleared=True)  # what is followed stays here: text in an image is no reason to set it aside
DIGITS = re.compile(r"(\d+)")
Gray = NDArray[np.uint8]
MASK, AT = "mask.", ".at"


@dataclass(frozen=True)
class HeartClip:
    """The working frames of a clip: the sector alone, square pixels, at most 256 a side.

    Attributes:
        name: of its file or folder.
        frames: (T, h, w) grey levels.
        numbers: of the frames, in the file.
        spacing_mm: side of a pixel; None where it is unknown.
        rate_hz: frames a second; None where it is unknown.
        end_diastole: place of that frame, where the file says it.
        shape: (H, W) of the frames in the file.
        transform: from these to working frames.
        drawn: label maps by name of the set and place of the frame, as working frames.
    """

    name: str
    frames: Gray
    numbers: tuple[int, ...]
    spacing_mm: float | None
    rate_hz: float | None
    end_diastole: int | None
    shape: tuple[int, int]
    transform: Transform
    drawn: Mapping[tuple[str, int], Gray]


def read_clip(path: Path, spacing_mm: float | None = None, rate_hz: float | None = None) -> HeartClip:
    """The clip of a file or folder.

    Args:
        path: multi-frame DICOM, a video, NIfTI or MetaImage whose last axis is time, or a folder of single frames.
        spacing_mm: side of a pixel, where the file does not say it.
        rate_hz: frames a second, likewise.

    Raises:
        DataError: it cannot be read, is no B-mode clip, or has but one frame.
    """
    try:
        opened = _opened(path)
        if spacing_mm is not None and opened.facts.spacing_mm is None:
            opened = replace(opened, facts=replace(opened.facts, spacing_mm=(spacing_mm, spacing_mm)))
        kept = prepare(opened, RULES)
        if kept.state != "taken":
            raise DataError(kept.reason, cure="name a B-mode clip")
        if len(kept.frames) < 2:
            raise DataError("has a single frame: nothing moves", cure="name a clip")
        return _clip(path, opened, kept, rate_hz)
    except DataError as error:
        raise DataError(error.what, where=error.where or str(path), cure=error.cure) from error


def read_mask(path: Path, clip: HeartClip, frame: int) -> Gray:
    """A label map of one frame, as the working frames lie; of a file with one a frame, that of this place.

    Raises:
        DataError: it cannot be read, or lies on no frame of the clip.
    """
    try:
        maps = _maps(path)
        counts = {1, len(clip.frames)}
        if len(maps) not in counts:
            what = f"has {len(maps)} label maps for {len(clip.frames)} frames"
            raise DataError(what, cure="name the label map of one frame, or one of every frame")
        chosen = maps[0] if len(maps) == 1 else maps[frame]
        if chosen.shape == clip.shape:
            return clip.transform.masks(chosen[None])[0]
        if chosen.shape == clip.frames.shape[1:]:
            return chosen
        said, wanted = (f"{shape[1]}x{shape[0]}" for shape in (chosen.shape, clip.shape))
        cure = "name the label map that was drawn in this clip"
        raise DataError(f"has {said} pixels, the frames of {clip.name} {wanted}", cure=cure)
    except DataError as error:
        raise DataError(error.what, where=error.where or str(path), cure=error.cure) from error


def _maps(path: Path) -> list[Gray]:
    if is_nifti(path) or path.suffix.lower() in METAIMAGE_SUFFIXES:
        return list((read_nifti if is_nifti(path) else read_metaimage)(path).labels())
    values = read_picture(path)
    if values.min() < 0 or values.max() > np.iinfo(np.uint8).max:
        raise DataError("holds values that are no labels from 0 to 255")
    return [values.astype(np.uint8)]


def _opened(path: Path) -> Opened:
    if path.is_dir():
        return _folder(path)
    source = (
        NiftiSource() if is_nifti(path) else MetaImageSource() if path.suffix.lower() in METAIMAGE_SUFFIXES else None
    )
    if source is None or not path.is_file():
        return open_file(path)
    found = next(source.scan(path.absolute()), None)
    if found is None or isinstance(found, Refused):
        raise DataError("is a label map, and no clip" if found is None else found.reason, cure="name the clip")
    return source.open(found)


def _folder(path: Path) -> Opened:
    """Single frames in the order of the numbers in their names."""
    files = [file for file in path.iterdir() if file.is_file() and file.suffix.lower() in SUFFIXES]
    files = sorted((file for file in files if not file.name.startswith(".")), key=_order)
    if not files:
        raise DataError("holds no frames", cure=f"known are {' '.join(sorted(SUFFIXES))}")
    first = open_file(files[0])

    def frames() -> Iterator[Pixels]:
        shape: tuple[int, ...] | None = None
        for file in files:
            seen = list(open_file(file).frames())
            if len(seen) != 1 or (shape is not None and seen[0].shape != shape):
                raise DataError("is no single frame of the size of the others", where=str(file), cure="take it out")
            shape = seen[0].shape
            yield seen[0]

    return Opened(len(files), moving=True, facts=first.facts, frames=frames)


def _order(path: Path) -> list[tuple[int, str]]:
    """Numbers in a name count as numbers: frame 2 comes before frame 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in DIGITS.split(path.name)]


def _clip(path: Path, opened: Opened, kept: Prepared, rate_hz: float | None) -> HeartClip:
    assert kept.box is not None
    shape = next(opened.frames()).shape
    numbers, said = list(kept.numbers), kept.facts.end_diastole
    return HeartClip(
        name=path.name,
        frames=kept.frames,
        numbers=kept.numbers,
        spacing_mm=None if kept.spacing_mm is None else float(np.mean(kept.spacing_mm)),
        rate_hz=kept.facts.rate_hz or rate_hz,
        end_diastole=numbers.index(said) if said in numbers else None,
        shape=(shape[0], shape[1]),
        transform=Transform(kept.box, (kept.frames.shape[1], kept.frames.shape[2])),
        drawn=_drawn(kept, numbers),
    )


def _drawn(kept: Prepared, numbers: list[int]) -> dict[tuple[str, int], Gray]:
    found: dict[tuple[str, int], Gray] = {}
    for key, values in kept.tensors.items():
        if key.startswith(MASK) and not key.endswith(AT):
            for number, labels in zip(kept.tensors[f"{key}{AT}"].tolist(), values, strict=True):
                if number in numbers and labels.any():
                    found[key.removeprefix(MASK), numbers.index(number)] = np.asarray(labels, np.uint8)
    return found
