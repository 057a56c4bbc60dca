"""From an item that is open to its working images: what is no echo taken away, in a size that tasks can use.

Steps: the sector is found once for a still or clip; colour Doppler, M-mode and spectra are kept apart; whatever lies
outside the sector becomes 0; text inside it sets the item aside for a person. What is larger than `WORKING_SIDE` is
cut to the sector's box, and shrunk until its longer side fits; pixels that are not square become square.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from federated.manifest import Tensors
from shared_models.image_mode import image_mode
from shared_models.sector import Sector, find_sector
from site_agent.intake.blanking import Blanked, blank
from site_agent.intake.burnt_in import find_marks, find_texts
from site_agent.sources.images import Gray, check_sides, check_usable, luma
from site_agent.sources.source import Annotation, Facts, Mode, Opened, Pixels

PixelRule = Literal["sector", "whole"]
Box = tuple[int, int, int, int]
State = Literal["taken", "quarantined", "apart"]

WORKING_SIDE = 256
LOOKED_AT = 8  # frames of a clip by which its sector, mode and text are found
RAW_BYTES = 192 * 2**20  # of frames that are held before they are shrunk
MOST_FRAMES = 512  # of a clip that are kept, evenly spaced
SQUARE = 0.01  # how far from 1 the ratio of a pixel's sides may be
SURE_SECTOR = 0.8  # quality from which on a sector counts; below it half of them are wrong (docs/sector.md)
LEAST_FOR_MODE = 200  # pixels of the shorter side, under which a level line is taken for a sweep
LEAST_FOR_TEXT = 48  # pixels of the longer side, under which no text could be read
MODES: dict[Mode, str] = {"colour": "colour Doppler", "m": "M-mode", "spectral": "spectral Doppler"}


@dataclass(frozen=True)
class Rules:
    """How pixels are treated.

    Attributes:
        pixels: ``sector`` to keep what lies in it and nothing else, ``whole`` where a person vouches for all pixels.
        needs_sector: whether an image without a sector is set aside, as one with a DICOM header always is; otherwise
            it is kept whole if no text is found.
        cleared: whether a person has looked at the item and found nothing that identifies.
    """

    pixels: PixelRule = "sector"
    needs_sector: bool = False
    cleared: bool = False


@dataclass(frozen=True)
class Transform:
    """From pixels of the source to pixels of the working image: cut at (x0, y0), then scaled.

    Attributes:
        box: x0, y0, x1, y1 of what is kept, both ends inside.
        size: (height, width) of the working image.
    """

    box: Box
    size: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """Of x and y."""
        x0, y0, x1, y1 = self.box
        return self.size[1] / (x1 + 1 - x0), self.size[0] / (y1 + 1 - y0)

    def images(self, frames: Gray) -> Gray:
        """(T, H, W) to (T, h, w), each new pixel a mean of the old ones that it covers."""
        return self._resized(frames, labels=False)

    def masks(self, masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(T, H, W) labels to (T, h, w), by the nearest."""
        return self._resized(masks, labels=True)

    def points(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) or (N, 4) x, y."""
        scale = np.tile(self.scale, values.shape[1] // 2)
        start = np.tile([float(self.box[0]), float(self.box[1])], values.shape[1] // 2)
        return np.asarray((values - start + 0.5) * scale - 0.5)

    def _resized(self, frames: Gray, *, labels: bool) -> Gray:
        x0, y0, x1, y1 = self.box
        cut = frames[:, y0 : y1 + 1, x0 : x1 + 1]
        if cut.shape[1:] == self.size:
            return np.ascontiguousarray(cut)  # what was cut away is not held in memory
        from PIL import Image

        how = Image.Resampling.NEAREST if labels else Image.Resampling.BOX
        return np.stack([np.asarray(Image.fromarray(frame).resize(self.size[::-1], how)) for frame in cut])


@dataclass(frozen=True)
class Look:
    """What the first frames say of an item: `text` among what would be kept, and `outside` among what would not."""

    sector: Sector | None
    mode: Mode
    text: tuple[Box, ...]
    marks: NDArray[np.bool_] | None
    outside: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """What is kept of an item, or why it is not.

    Attributes:
        state: ``taken``, ``quarantined`` for a person to look at, or ``apart`` as no B-mode image.
        reason: where it is not taken.
        facts: of the source; what could not be believed is left out, and stands in its doubts.
        count: frames that the source has.
        numbers: of the frames that are kept, in the source.
        frames: (T, h, w).
        tensors: annotations, and what lies beside the frames, as `FrameCache` keeps them.
        sector: in pixels of the working image, where one was found.
        spacing_mm: height and width of a pixel of the working image.
        blanked: what was taken away.
        look: what the first frames say.
        box: x0, y0, x1, y1 in the source of what the working image shows, both ends inside.
    """

    state: State
    reason: str
    facts: Facts
    count: int = 0
    numbers: tuple[int, ...] = ()
    frames: Gray = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=np.uint8))
    tensors: Tensors = field(default_factory=dict)
    sector: Sector | None = None
    spacing_mm: tuple[float, float] | None = None
    blanked: Blanked | None = None
    look: Look | None = None
    box: Box | None = None


def prepare(opened: Opened, rules: Rules, wanted: Sequence[int] | None = None) -> Prepared:
    """The working images of an item.

    Args:
        opened: the item.
        rules: how its pixels are treated.
        wanted: numbers of the frames that are needed; None to keep up to `MOST_FRAMES`.

    Raises:
        DataError: it cannot be read, has no such frame, or shows nothing.
    """
    frames = opened.frames()
    held = _held(frames)
    if not held:
        raise DataError("holds no frame")
    check_sides(held[0].shape)
    look = _look(held, opened.facts, rules)
    state, reason = _judged(look, rules, opened.facts)
    if state != "taken":
        return Prepared(state, reason, replace(opened.facts, mode=look.mode), look=look)
    shape = held[0].shape[:2]
    transform = _transform(shape, look.sector, opened.facts.spacing_mm)
    kept: list[Gray] = []
    blanked: Blanked | None = None
    while held:
        grey, blanked = _blanked(held, look, rules, opened.facts, blanked)
        kept.extend(transform.images(grey))
        held = _held(frames)
        look = _look_again(held, look, opened.facts, rules)
        state, reason = _judged(look, rules, opened.facts)
        if state != "taken":
            return Prepared(state, reason, replace(opened.facts, mode=look.mode), look=look)
    return _prepared(opened, look, transform, kept, blanked, wanted, shape)


def _held(frames: Iterator[Pixels]) -> list[Pixels]:
    """The next frames, as many as may be in memory at once."""
    held = list(islice(frames, 1))
    if held:
        held += islice(frames, max(0, RAW_BYTES // held[0].nbytes - 1))
    return held


def _look(held: Sequence[Pixels], facts: Facts, rules: Rules) -> Look:
    some = _some(held)
    mode = _mode(some, facts)
    sector = find_sector(some) if mode not in MODES else None
    if sector is not None and sector.quality < SURE_SECTOR:
        sector = None
    if rules.pixels == "whole":
        return Look(sector, mode, (), None)
    text, *outside = _texts(some, _places(some, sector, facts))
    if _vouched(rules):
        return Look(sector, mode, (), None, *outside)
    marks = find_marks(some, sector.mask()) if sector is not None and not facts.masked else None
    return Look(sector, mode, text, marks, *outside)


def _look_again(held: Sequence[Pixels], before: Look, facts: Facts, rules: Rules) -> Look:
    """What came before and what the next frames say: a clip may turn to another mode, or show a name at its end."""
    if not held:
        return before
    some = _some(held)
    text = () if _vouched(rules) else _texts(some, _places(some, before.sector, facts)[:1])[0]
    return replace(before, mode=_mode(some, facts), text=text)


def _some(held: Sequence[Pixels]) -> Pixels:
    return np.stack([held[place] for place in evenly(len(held), LOOKED_AT)])


def _mode(some: Pixels, facts: Facts) -> Mode:
    return facts.mode or (image_mode(some) if min(some.shape[1:3]) >= LEAST_FOR_MODE else "")


def _places(some: Pixels, sector: Sector | None, facts: Facts) -> list[NDArray[np.bool_]]:
    """What would be kept, and what would not; what a publisher calls masked is kept whole, and not believed."""
    if sector is None or facts.masked:
        return [np.ones(some.shape[1:3], dtype=bool)]
    return [sector.mask(), ~sector.mask()]


def _texts(some: Pixels, places: Sequence[NDArray[np.bool_]]) -> list[tuple[Box, ...]]:
    """Boxes of text in each place."""
    return find_texts(some, places) if max(some.shape[1:3]) >= LEAST_FOR_TEXT else [()] * len(places)


def _vouched(rules: Rules) -> bool:
    """Whether a person has said that no pixel identifies anybody."""
    return rules.cleared or rules.pixels == "whole"


def _judged(look: Look, rules: Rules, facts: Facts) -> tuple[State, str]:
    if look.mode in MODES:
        return "apart", f"is {MODES[look.mode]}, and no B-mode image"
    if _vouched(rules):
        return "taken", ""
    needed = (rules.needs_sector or facts.header is not None) and not facts.masked
    if look.sector is None and needed:
        return "quarantined", "has no ultrasound sector that could be found; a person must look at it"
    if look.text:
        where = "inside the sector" if look.sector is not None else "in an image without a sector"
        where = "in an image that is said to be masked" if facts.masked else where
        return "quarantined", f"may show burnt-in text {where}; a person must look at it"
    return "taken", ""


def _transform(shape: tuple[int, ...], sector: Sector | None, spacing: tuple[float, float] | None) -> Transform:
    height, width = shape
    box = (0, 0, width - 1, height - 1)
    if sector is not None and max(height, width) > WORKING_SIDE:
        box = sector.box()
    tall, wide = float(box[3] + 1 - box[1]), float(box[2] + 1 - box[0])
    if spacing is not None and abs(spacing[0] / spacing[1] - 1) > SQUARE:
        coarse = max(spacing)
        tall, wide = tall * spacing[0] / coarse, wide * spacing[1] / coarse
    factor = min(1.0, WORKING_SIDE / max(tall, wide))
    return Transform(box, (max(1, round(tall * factor)), max(1, round(wide * factor))))


def _blanked(
    held: Sequence[Pixels], look: Look, rules: Rules, facts: Facts, before: Blanked | None
) -> tuple[Gray, Blanked | None]:
    pixels = np.stack(held)
    if facts.masked or rules.pixels == "whole" or look.sector is None:
        return luma(pixels), None
    grey, blanked = blank(pixels, look.sector, look.marks, len(look.outside))
    return grey, before or blanked


def _prepared(
    opened: Opened,
    look: Look,
    transform: Transform,
    frames: Sequence[Gray],
    blanked: Blanked | None,
    wanted: Sequence[int] | None,
    shape: tuple[int, ...],
) -> Prepared:
    numbers = list(evenly(len(frames), MOST_FRAMES)) if wanted is None else _there(wanted, len(frames), opened.moving)
    kept = np.stack([frames[number] for number in numbers])
    check_usable(max(kept, key=np.ptp))  # a clip may begin in the dark
    facts, annotations = _believed(opened, len(frames), shape)
    if wanted is not None and not opened.moving:  # what is drawn in a still is drawn in the frame that it is said to be
        annotations = tuple(replace(each, frame=number) for number in wanted for each in annotations)
    tensors = _annotations(annotations, transform) | opened.beside()
    sector = look.sector
    if sector is not None:
        sector = sector.cropped(transform.box).scaled(transform.scale[0])
    spacing = facts.spacing_mm
    if spacing is not None:
        spacing = (spacing[0] / transform.scale[1], spacing[1] / transform.scale[0])
    return Prepared(
        "taken",
        "",
        replace(facts, mode=look.mode),
        len(frames),
        tuple(wanted) if wanted is not None else tuple(opened.first + number for number in numbers),
        kept,
        tensors,
        sector,
        spacing,
        blanked,
        look,
        transform.box,
    )


def _there(wanted: Sequence[int], count: int, moving: bool) -> list[int]:
    """Places of the frames asked for; a still has but one, whatever its number."""
    if not moving:
        return [0] * len(wanted)
    missing = [number for number in wanted if number >= count]
    if missing:
        raise DataError(f"has no frame {min(missing)}")
    return list(wanted)


def _believed(opened: Opened, count: int, shape: tuple[int, ...]) -> tuple[Facts, tuple[Annotation, ...]]:
    """Facts and annotations without what cannot be."""
    facts, doubts = opened.facts, list(opened.facts.doubts)
    changes: dict[str, Any] = {}
    if facts.ejection_fraction is not None and not 0 <= facts.ejection_fraction <= 100:
        doubts.append(f"an ejection fraction of {facts.ejection_fraction:g} % cannot be: left out")
        changes["ejection_fraction"] = None
    for name in ("end_diastole", "end_systole"):
        frame = getattr(facts, name)
        if frame is not None and not 0 <= frame < count:
            doubts.append(f"{name.replace('_', '-')} in frame {frame} of {count} cannot be: left out")
            changes[name] = None
    diastole, systole = (changes.get(name, getattr(facts, name)) for name in ("end_diastole", "end_systole"))
    if diastole is not None and systole is not None and diastole > systole:
        doubts.append(f"end-diastole is said to be in frame {diastole}, after end-systole: kept as it is said")
    annotations = _drawn(opened, count, shape, doubts)
    return replace(facts, doubts=tuple(doubts), **changes), annotations


def _drawn(opened: Opened, count: int, shape: tuple[int, ...], doubts: list[str]) -> tuple[Annotation, ...]:
    """Annotations that fit; those that do not go to the doubts."""
    try:
        annotations = opened.annotations()
    except DataError as error:
        doubts.append(error.what)
        return ()
    found = [(one, _misfit(one, count, shape)) for one in annotations]
    doubts += [f"the {one.kind} '{one.name}' {why}: left out" for one, why in found if why]
    return tuple(one for one, why in found if not why)


def _misfit(one: Annotation, count: int, shape: tuple[int, ...]) -> str:
    """Why something drawn cannot lie in its frame; "" if it can."""
    if not 0 <= one.frame < count:
        return f"does not fit frame {one.frame} of {count}"
    if one.kind == "mask" and one.values.shape != shape:
        tall, wide = one.values.shape
        return f"has {wide}x{tall} pixels, its frame {one.frame} has {shape[1]}x{shape[0]}"
    return ""


def _annotations(annotations: Sequence[Annotation], transform: Transform) -> Tensors:
    tensors: Tensors = {}
    masks: dict[str, list[Annotation]] = {}
    for each in annotations:
        if each.kind == "mask":
            masks.setdefault(each.name, []).append(each)
        else:
            name = f"{each.kind}.{each.name}.{each.frame}"
            again = sum(known == name or known.startswith(f"{name}.") for known in tensors)  # some are drawn twice
            tensors[f"{name}.{again}" if again else name] = transform.points(each.values.astype(np.float64))
    for name, its in masks.items():
        tensors[f"mask.{name}"] = transform.masks(np.stack([each.values for each in its]))
        tensors[f"mask.{name}.at"] = np.array([each.frame for each in its], dtype=np.int64)
    return tensors


def evenly(count: int, most: int) -> list[int]:
    """Up to `most` numbers from 0 to count - 1, evenly spaced from the first to the last."""
    return [int(number) for number in np.rint(np.linspace(0, count - 1, min(count, most)))]
