"""Motion through clips, written beside each other: a field a frame, a picture to look at, and a line on each clip.

Every frame is registered to end-diastole, which is the clip's first where the file does not say: the fields lead from
its tissue to where that is in each frame. A still has no other frame and is told.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from federated.files import write_whole
from site_agent.asked_experts import asked
from site_agent.expert_predictions import Predictions, Written
from site_agent.predict import by_file, prepared_of, rows_of
from site_agent.progress import Bar
from site_agent.registration.registrar import Registered, Registrar, registrar_of
from site_agent.sources.files import open_file
from site_agent.sources.index import Columns, Row
from site_agent.training_report.page import png

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.intake.preparation import Prepared

FORMS = ("npz",)
LEAST = 2  # frames
PARTS = 100  # of a clip, on the bar
DIGITS = 3


@dataclass(frozen=True)
class Motion:
    """A clip and where its end-diastole's tissue goes.

    Attributes:
        images: (T, H, W).
        numbers: (T,) of the frames, in the file.
        end_diastole: place of the frame that all others are registered to.
        registered: frame by frame; None for end-diastole itself.
        spacing_mm: height and width of a pixel, where they are known.
    """

    images: NDArray[np.uint8]
    numbers: tuple[int, ...]
    end_diastole: int
    registered: tuple[Registered | None, ...]
    spacing_mm: tuple[float, float] | None

    @cached_property
    def fields(self) -> NDArray[np.float32]:
        """(T, 2, H, W) pixels, 0 at end-diastole."""
        still = np.zeros((2, *self.images.shape[1:]), np.float32)
        return np.stack([still if each is None else each.field for each in self.registered])

    @property
    def lengths(self) -> NDArray[np.float64]:
        """(T,) mean length of the displacements, in millimetres, or in pixels where their size is not known."""
        size = np.array(self.spacing_mm or (1.0, 1.0))[:, None, None]
        return np.array([np.linalg.norm(field * size, axis=0).mean() for field in self.fields])


def predict(
    home: SiteHome,
    inputs: Sequence[Path],
    out: Path,
    form: str,  # noqa: ARG001
    columns: Columns | None = None,
    names: Sequence[str] = (),
) -> Written:
    """Writes what all experts that are here see of motion, into a folder; the lines come last, when all is there.

    Args:
        home: the site's.
        inputs: indexes, folders of images, cine files.
        out: the folder, which is made where missing.
        form: of the fields, of which there is one.
        columns: of the indexes.
        names: of the experts that are asked; where none is named all sites'.

    Raises:
        ConsiliumError: no expert is here, or none of a name, nothing can be used, or nothing can be written.
    """
    registrar = registrar_of(home)
    asked(registrar.experts, names)
    files, found = by_file(rows_of(inputs, columns)), Predictions(inputs, out, "clips")
    with closing(Bar("registering", PARTS * len(files))) as bar:
        for number, (path, rows) in enumerate(files.items()):
            clip = found.usable(rows[0].name, partial(_clip, path, rows))
            if clip is not None:
                motion = followed(registrar, clip, names, partial(_show, bar, number))
                found.said.append(_written(out, found.stem(rows[0].name), rows[0], clip, motion))
    return found.written()


def _clip(path: Path, rows: Sequence[Row]) -> Prepared:
    """All frames of a file that are kept, or those that an index names.

    Raises:
        DataError: the file cannot be used, or is no clip.
    """
    named = sorted({row.frame for row in rows if row.frame is not None})
    clip = prepared_of(open_file(path), named or None)
    if len(clip.frames) < LEAST:
        raise DataError("has one frame, and motion is seen in two or more", cure="name a clip")
    return clip


def _show(bar: Bar, done: int, share: float) -> None:
    bar.at(round(PARTS * (done + share)))


def followed(
    registrar: Registrar, clip: Prepared, names: Sequence[str] = (), watch: Callable[[float], None] | None = None
) -> Motion:
    """Every frame of a clip registered to end-diastole, by the experts, or those named; `watch` is told the share."""
    said = clip.facts.end_diastole
    fixed = clip.numbers.index(said) if said in clip.numbers else 0
    found: list[Registered | None] = []
    for place, frame in enumerate(clip.frames):
        if watch is not None:
            watch(place / len(clip.frames))
        found.append(None if place == fixed else registrar.register(frame, clip.frames[fixed], names))
    return Motion(clip.frames, clip.numbers, fixed, tuple(found), clip.spacing_mm)


def _written(out: Path, stem: str, row: Row, clip: Prepared, motion: Motion) -> dict[str, Any]:
    """Fields and picture of a clip, and the line on it."""
    out.mkdir(parents=True, exist_ok=True)
    held = io.BytesIO()
    np.savez_compressed(held, fields=motion.fields, frames=np.array(motion.numbers), end_diastole=motion.end_diastole)
    write_whole(out / f"{stem}-fields.npz", held.getvalue())
    write_whole(out / f"{stem}-motion.png", png(picture(motion)))
    height, width = motion.images.shape[1:]
    lies = {"size": [width, height], "box": None if clip.box is None else [*clip.box]}
    files = {"fields": f"{stem}-fields.npz", "picture": f"{stem}-motion.png"}
    return {"image": row.name} | lies | files | told(motion)


def told(motion: Motion) -> dict[str, Any]:
    """How far tissue is moved frame by frame, how alike frames become, and who had which share, on average."""
    from shared_models.registration_measures import folded_percent, likeness

    fixed = motion.images[motion.end_diastole]
    there = [(image, each) for image, each in zip(motion.images, motion.registered, strict=True) if each is not None]
    still = np.zeros_like(there[0][1].field)
    experts = there[0][1].p
    return {
        "frames": list(motion.numbers),
        "end_diastole": motion.numbers[motion.end_diastole],
        "unit": "pixels" if motion.spacing_mm is None else "mm",
        "moved": [_short(length) for length in motion.lengths.tolist()],
        "likeness_before": _short(float(np.mean([likeness(image, fixed, still) for image, _ in there]))),
        "likeness_after": _short(float(np.mean([likeness(image, fixed, each.field) for image, each in there]))),
        "folded_percent": _short(float(np.mean([folded_percent(each.field) for _, each in there]))),
        "experts": {
            name: {
                "p": float(np.mean([each.p[name] for _, each in there])),
                "share": float(np.mean([each.weights[name] for _, each in there])),
            }
            for name in experts
        },
    }


def _short(value: float) -> float:
    return round(value, DIGITS)


def picture(motion: Motion) -> NDArray[np.uint8]:
    """(H, 3 W) of the frame that moved most, the same warped to end-diastole, and end-diastole."""
    place = int(motion.lengths.argmax())
    moving, fixed = motion.images[place], motion.images[motion.end_diastole]
    return beside(moving, fixed, motion.fields[place])


def beside(moving: NDArray[np.uint8], fixed: NDArray[np.uint8], field: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, 3 W) of a moving image, the same warped, and the fixed one."""
    from shared_models.registration_measures import warped

    return np.concatenate([moving, warped(moving, field), fixed], axis=1)
