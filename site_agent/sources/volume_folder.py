"""Files of plain frames below a folder, with the label maps beside them and what an ``index.csv`` says of them.

NAME_labels, _gt, _mask, _seg or _segmentation lies on NAME. A scanner may write its image as layer 0 and what it
computed of it as further layers, of which the third is a label map.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from federated.errors import DataError
from site_agent.sources.camus_layout import is_camus
from site_agent.sources.csv_tables import Row, first_of_each, read_table, refused_line
from site_agent.sources.files import SUFFIXES
from site_agent.sources.plausible import PERCENT, believed
from site_agent.sources.source import Facts, Item, Opened, Refused, Relation
from site_agent.sources.splits import fold_of
from site_agent.sources.volumes import Placed, Volume, misfit, opened
from site_agent.sources.walk import has_any, name_below, walk

INDEX = "index.csv"
MASKS = ("labels", "gt", "mask", "seg", "segmentation")
LAYER = re.compile(r"(.+_layer)(\d+)")
MASK_LAYER = "3"
OTHERS = "--format images reads files of several forms"
BETWEEN = "is a layer between an image and its mask, and no image of its own"


@dataclass(frozen=True)
class Form:
    """A form of files.

    Attributes:
        name: for messages.
        suffixes: in small letters, the longer before the shorter.
        read: a file's header.
        beside: suffixes of data files beside a header.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Volume]
    beside: tuple[str, ...] = ()

    def has(self, path: Path) -> bool:
        """Whether it is of this form by its name."""
        return path.name.lower().endswith(self.suffixes)

    def stem(self, path: Path) -> str:
        """Its name without the suffix."""
        length = next((len(suffix) for suffix in self.suffixes if path.name.lower().endswith(suffix)), 0)
        return path.name[: len(path.name) - length]

    def sibling(self, path: Path, stem: str) -> Path | None:
        """The file of this form and name beside another."""
        found = (path.with_name(stem + suffix) for suffix in self.suffixes)
        return next((each for each in found if each.is_file()), None)


@dataclass(frozen=True)
class Known:
    """What stands beside a file.

    Attributes:
        masks: names and files of label maps.
        ejection_fraction: as an index says it.
    """

    masks: tuple[tuple[str, Path], ...] = ()
    ejection_fraction: str = ""


def recognised(root: Path, form: Form) -> bool:
    """A file of the form, or a folder with one among its first files whose index, if it has one, begins with such."""
    if root.is_file():
        return form.has(root)
    first = _first_listed(root / INDEX)
    return (not first or form.has(Path(first))) and has_any(root, form.suffixes) and not is_camus(root)


def _first_listed(index: Path) -> str:
    """The first path of an index; "" where it says none."""
    try:
        return next((row["path"] for row in read_table(index, ["path"])), "")
    except DataError:
        return ""


def scan_folder(root: Path, form: Form) -> Iterator[Item | Refused]:
    """An item a file, but for those of label maps, which go with their image; or the one file that is named.

    Raises:
        DataError: the index cannot be read.
    """
    if root.is_file():
        yield from _listed(root.parent, root, Row(), form)
        return
    rows: dict[Path, Row] = {}
    for row in _index(root / INDEX):
        if isinstance(row, Refused):
            yield row
        else:
            rows[root / row["path"]] = row
    for path in walk(root):
        if isinstance(path, Refused):
            yield path
        elif form.has(path):
            yield from _listed(root, path, rows.pop(path, Row()), form)
        elif path.suffix.lower() in SUFFIXES:
            yield Refused(name_below(root, path), path, f"is no {form.name}; {OTHERS}")
    yield from (refused_line(root / INDEX, row, _why_not(path, form)) for path, row in rows.items())


def _index(index: Path) -> Iterator[Row | Refused]:
    return first_of_each(read_table(index, ["path"]), ["path"], index) if index.is_file() else iter(())


def _why_not(path: Path, form: Form) -> str:
    return f"leads to a file that is no {form.name}" if path.is_file() else "leads to no file below this folder"


def _listed(folder: Path, path: Path, row: Row, form: Form) -> Iterator[Item | Refused]:
    """The item of a file; nothing for a label map that lies on another."""
    stem = form.stem(path)
    layer = LAYER.fullmatch(stem)
    if _is_mask(path, form):
        return
    name = name_below(folder, path)
    if layer and layer[2] != "0" and form.sibling(path, f"{layer[1]}0"):
        yield Refused(name, path, BETWEEN)
        return
    masks = tuple(_masks(path, form))
    data = (path.with_name(stem + suffix) for suffix in form.beside)
    yield Item(
        name=name,
        path=path,
        companions=tuple(each for each in chain(data, (mask for _, mask in masks)) if each.is_file()),
        patient=row.get("patient", ""),
        clip=row.get("clip", ""),
        label=row.get("label") or row.get("view", ""),
        site=row.get("site", ""),
        fold=fold_of(row.get("split", "")),
        known=Known(masks, row.get("ejection_fraction", "")),
    )


def _masks(path: Path, form: Form) -> Iterator[tuple[str, Path]]:
    """Names and files of the label maps of an image."""
    stem = form.stem(path)
    layer = LAYER.fullmatch(stem)
    named = [(name, f"{stem}_{name}") for name in MASKS]
    if layer and layer[2] == "0":
        named.append((f"layer{MASK_LAYER}", layer[1] + MASK_LAYER))
    for name, other in named:
        if found := form.sibling(path, other):
            yield name, found


def _is_mask(path: Path, form: Form) -> bool:
    stem, _, last = form.stem(path).rpartition("_")
    layer = LAYER.fullmatch(form.stem(path))
    image = f"{layer[1]}0" if layer and layer[2] == MASK_LAYER else stem if last in MASKS else ""
    return bool(image) and form.sibling(path, image) is not None


def open_item(item: Item, form: Form) -> Opened:
    """The frames, and the label maps that fit them.

    Raises:
        DataError: as of `Source.open`.
    """
    volume, known = form.read(item.path), item.known or Known()
    doubts: list[str] = []
    fraction = believed("ejection fraction", known.ejection_fraction, PERCENT, doubts)
    frames = tuple(range(volume.count))
    masks = [found for name, path in known.masks if (found := fitting(name, path, volume, frames, form.read, doubts))]
    return opened(volume, Facts(ejection_fraction=fraction, doubts=tuple(doubts)), masks)


def fitting(
    name: str,
    path: Path,
    image: Volume,
    frames: tuple[int, ...],
    read: Callable[[Path], Volume],
    doubts: list[str],
) -> Placed | None:
    """The label maps of a file, where they lie on these frames of an image; else a doubt."""
    try:
        mask = read(path)
        reason = misfit(mask, image, frames)
    except DataError as error:
        reason = error.what
    if reason:
        doubts.append(f"its label map {name} {reason}: left out")
        return None
    return Placed(name, mask, frames)


class VolumeSource:
    """The source of one form of files; a subclass says which, and what it is called.

    Attributes:
        form: of its files.
    """

    name: str
    about: str
    form: Form
    labels: tuple[tuple[str, str, Relation], ...] = ()
    needs_sector = True

    def recognises(self, root: Path) -> bool:
        """As of `recognised`."""
        return recognised(root, self.form)

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """As of `scan_folder`."""
        return scan_folder(root, self.form)

    def open(self, item: Item) -> Opened:
        """As of `open_item`."""
        return open_item(item, self.form)
