"""A gallery of real echocardiograms: which image shows which family of views, and which half may guide development.

A gallery is a folder with an ``index.csv`` of at least the columns path and view. What cannot be mapped to a family is
left out with its reason, never silently and never with a crash.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.phantom_sector import Frame, frame_of

FAMILIES = ("apical-two", "apical-three", "apical-four", "apical-five", "plax", "psax", "subcostal")

# The first rule whose pattern is found in a view's name (lower case, words joined by -) decides.
NO_FAMILY = (
    (r"doppler|m-?mode|spectral|(^|-)(pw|cw|tdi)(-|$)", "no B-mode image"),
    (r"suprasternal|(^|-)ssn(-|$)", "suprasternal is none of the families asked for"),
    (r"^(apex|apical-apex|apical)$", "the apex alone does not say which apical view it is"),
    (
        r"^plax-(tv|rv|rvif|rvot|pv)(-|$)|rv-?(in|out)flow",
        "the right heart's in- and outflow is no long axis of the left",
    ),
)
FAMILY_OF = (
    (r"^(a|ap|apical)-?(2|two)-?(c|ch|chamber)(-|$)", "apical-two"),
    (r"^(a|ap|apical)-?(3|three)-?(c|ch|chamber)(-|$)|^aplax", "apical-three"),
    (r"^(a|ap|apical)-?(4|four)-?(c|ch|chamber)(-|$)", "apical-four"),
    (r"^(a|ap|apical)-?(5|five)-?(c|ch|chamber)(-|$)", "apical-five"),
    (r"^(plax|parasternal-long)", "plax"),
    (r"^(psax|parasternal-short)", "psax"),
    (r"^(subcostal|sc|subxiphoid)(-|$)", "subcostal"),
)


@dataclass(frozen=True)
class Shot:
    """One real image that takes part.

    Attributes:
        name: the file's name without its ending.
        view: as the gallery calls it.
        family: one of `FAMILIES`.
        development: whether it may guide development.
        frame: what it shows.
    """

    name: str
    view: str
    family: str
    development: bool
    frame: Frame


@dataclass(frozen=True)
class LeftOut:
    """An image that takes no part, and why."""

    name: str
    view: str
    why: str


@dataclass(frozen=True)
class Gallery:
    """All images of an index."""

    shots: tuple[Shot, ...]
    left_out: tuple[LeftOut, ...]


def may_guide(name: str) -> bool:
    """Whether an image belongs to the half that may guide development: an even first byte of its name's SHA-256.

    The rule was taken because by the names of the gallery alone, before any image was looked at, it puts a member of
    every family into both halves.
    """
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def family_of(view: str) -> tuple[str | None, str]:
    """The family of a gallery's view name, or None and why there is none."""
    name = "-".join(re.findall(r"[a-z0-9]+", view.lower()))
    for pattern, why in NO_FAMILY:
        if re.search(pattern, name):
            return None, why
    for pattern, family in FAMILY_OF:
        if re.search(pattern, name):
            return family, ""
    return None, "the view's name is not known"


def read_gallery(folder: Path, *, development: bool | None = None) -> Gallery:
    """Every image of a gallery, or of one half of it alone.

    Raises:
        ValueError: no index, or one without the columns path and view.
    """
    shots: list[Shot] = []
    left_out: list[LeftOut] = []
    for path, view in _index(folder):
        name = Path(path).stem
        if development is not None and may_guide(name) != development:
            continue
        found = _shot(folder / path, name, view)
        (shots if isinstance(found, Shot) else left_out).append(found)  # type: ignore[arg-type]
    return Gallery(tuple(shots), tuple(left_out))


def _index(folder: Path) -> Sequence[tuple[str, str]]:
    path = folder / "index.csv"
    if not path.is_file():
        raise ValueError(f"{folder} is no gallery: it has no index.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if any(row.get("path") is None or row.get("view") is None for row in rows):
        raise ValueError(f"{path} needs the columns path and view")
    return [(row["path"], row["view"]) for row in rows]


def _shot(path: Path, name: str, view: str) -> Shot | LeftOut:
    family, why = family_of(view)
    if family is None:
        return LeftOut(name, view, why)
    try:
        return Shot(name, view, family, may_guide(name), frame_of(read_image(path)))
    except (OSError, ValueError) as error:
        return LeftOut(name, view, f"cannot be read: {error}")


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file as (H, W) or (H, W, 3).

    Raises:
        OSError: it is not there or no image.
    """
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("L" if image.mode in {"1", "L", "I;16", "I", "F"} else "RGB"))
