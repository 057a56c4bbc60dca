"""Unity Imaging: stills by the digest of their clip, with points and curves that experts drew, and an index of views.

A structure that an expert marked as *off* is not in the image: it comes as an annotation without points. One that was
*blurred* says nothing, and is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from federated.errors import DataError
from site_agent.sources.csv_tables import first_of_each, read_table
from site_agent.sources.images import open_still
from site_agent.sources.source import Annotation, Item, Opened, Refused, Relation, check_file
from site_agent.sources.splits import fold_of
from site_agent.sources.walk import name_below, walk

IMAGES, LABEL_FILES, VIEW_INDEX = "png-cache", "labels", "view_index.csv"
NAME = re.compile(r"[0-9]{2}-([0-9a-f]{64})-[0-9]{4,}\.png")
STRUCTURE = re.compile(r"[\w-]{1,60}")
PARTS = ("train", "tune", "ival")
ALL = "all"
MAX_JSON = 512 * 2**20  # bytes
OFF, BLURRED = "off", "blurred"
LABELS: tuple[tuple[str, str, Relation], ...] = (
    ("PLAX", "399139001", "same"),
    ("PSAX", "399306005", "same"),
    ("A2C", "399232001", "same"),
    ("A3C", "399339008", "same"),
    ("A4C", "399214001", "same"),
    ("A5C", "398994001", "same"),
)


@dataclass(frozen=True)
class Drawn:
    """A structure as the labels tell it: numbers are still text."""

    name: str
    kind: str
    x: str
    y: str


@dataclass(frozen=True)
class Known:
    """What was drawn in an image."""

    drawn: tuple[Drawn, ...] = ()


class UnitySource:
    """The folder with the cache of images, the labels and the index of views."""

    name = "unity"
    about = "Unity Imaging: png-cache/, labels/ and view_index.csv"
    labels = LABELS
    needs_sector = False

    def recognises(self, root: Path) -> bool:
        """Its cache, and labels or views."""
        return (root / IMAGES).is_dir() and ((root / LABEL_FILES).is_dir() or (root / VIEW_INDEX).is_file())

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """An item an image; the digest of its clip stands for the patient.

        Raises:
            DataError: labels or views cannot be read.
        """
        views: dict[str, str] = {}
        for found in _views(root):
            if isinstance(found, Refused):
                yield found
            else:
                views[found[0]] = found[1]
        drawn, folds = _labels(root)
        if not drawn:
            yield Refused(LABEL_FILES, root / LABEL_FILES, "holds no labels: nothing is drawn in any image")
        seen: set[str] = set()
        for path in walk(root / IMAGES):
            if isinstance(path, Refused):
                yield Refused(name_below(root, path.path), path.path, path.reason)
            elif path.suffix.lower() == ".png":
                yield _item(root, path, seen, views, drawn, folds)
        for name in sorted((views.keys() | drawn.keys()) - seen):
            where = LABEL_FILES if name in drawn else VIEW_INDEX
            yield Refused(f"{where}: {name}", root / where, "names an image that is not there")

    def open(self, item: Item) -> Opened:
        """The still, with points and curves.

        Raises:
            DataError: as of `Source.open`.
        """
        opened = open_still(item.path)
        known: Known = item.known
        found = [_annotation(each) for each in known.drawn if each.kind != BLURRED]
        drawn = tuple(each for each in found if each is not None)
        wrong = len(found) - len(drawn)
        doubts = (f"{wrong} structures have no points that can be read: left out",) if wrong else ()
        return replace(opened, facts=replace(opened.facts, doubts=doubts), annotations=lambda: drawn)


def _item(
    root: Path,
    path: Path,
    seen: set[str],
    views: Mapping[str, str],
    drawn: Mapping[str, tuple[Drawn, ...]],
    folds: Mapping[str, str | None],
) -> Item | Refused:
    named, name = NAME.fullmatch(path.name), name_below(root, path)
    if not named:
        return Refused(name, path, "is not named as the images of this set are")
    if path.name in seen:
        return Refused(name, path, "repeats an image of this name")
    seen.add(path.name)
    return Item(
        name=name,
        path=path,
        patient=named[1],
        clip=named[1],
        label=views.get(path.name, ""),
        fold=folds.get(path.name),
        known=Known(drawn.get(path.name, ())),
    )


def _views(root: Path) -> Iterator[tuple[str, str] | Refused]:
    """Names of images and their views."""
    index = root / VIEW_INDEX
    if not index.is_file():
        yield Refused(VIEW_INDEX, index, "is not there: no image has a view")
        return
    for row in first_of_each(read_table(index, ["file", "view"]), ["file"], index):
        yield row if isinstance(row, Refused) else (row["file"], row["view"])


def _labels(root: Path) -> tuple[dict[str, tuple[Drawn, ...]], dict[str, str | None]]:
    """What is drawn by name of image, of all labels where these are there; and the folds that the parts are."""
    parts = {part: _read(root / LABEL_FILES / f"labels-{part}.json") for part in (*PARTS, ALL)}
    folds = {name: fold_of(part) for part in PARTS for name in parts[part]}
    drawn: dict[str, tuple[Drawn, ...]] = {}
    for part in (*PARTS, ALL):
        drawn |= parts[part]
    return drawn, folds


def _read(path: Path) -> dict[str, tuple[Drawn, ...]]:
    """What is drawn by name of image; nothing where the file is not there."""
    if not path.is_file():
        return {}
    try:
        if check_file(path) > MAX_JSON:
            raise DataError(f"has more than {MAX_JSON} bytes")
        told = json.loads(path.read_bytes())
        return {str(name): tuple(_drawn(entry["labels"])) for name, entry in told.items()}
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path)) from error
    except DataError as error:
        raise DataError(error.what, where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise DataError("is no JSON", where=str(path)) from error
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError("is JSON, but holds no labels by name of image", where=str(path)) from error


def _drawn(labels: Mapping[str, Any]) -> Iterator[Drawn]:
    """Structures of an image: one entry for each, or a list of them in the newer form."""
    for name, entries in labels.items():
        for entry in entries if isinstance(entries, list) else [entries]:
            yield Drawn(str(name), str(entry["type"]), str(entry.get("x", "")), str(entry.get("y", "")))


def _annotation(drawn: Drawn) -> Annotation | None:
    """A structure, if its points can be read."""
    if not STRUCTURE.fullmatch(drawn.name):
        return None
    kind: Any = "curve" if drawn.kind == "curve" or drawn.name.startswith("curve") else "points"
    if drawn.kind == OFF:
        return Annotation(0, drawn.name, kind, np.zeros((0, 2)))
    x, y = _numbers(drawn.x), _numbers(drawn.y)
    if not x or len(x) != len(y) or not np.isfinite([*x, *y]).all():
        return None
    return Annotation(0, drawn.name, kind, np.array([x, y]).T)


def _numbers(text: str) -> Sequence[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        return []
