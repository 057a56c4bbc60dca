"""MetaImage files below a folder: clips, with the label maps beside them and what an index says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from federated.errors import DataError
from site_agent.sources.csv_tables import Row, first_of_each, read_table, refused_line
from site_agent.sources.metaimage_volume import read_volume
from site_agent.sources.plausible import PERCENT, believed
from site_agent.sources.source import Facts, Item, Opened, Refused, Relation
from site_agent.sources.splits import fold_of
from site_agent.sources.volumes import Placed, Volume, misfit, opened
from site_agent.sources.walk import has_any, name_below, walk

SUFFIXES = frozenset({".mhd", ".mha"})
INDEX = "index.csv"
MASKS = ("labels", "gt", "mask", "seg", "segmentation")  # NAME_labels.mhd lies on NAME.mhd
LAYER = re.compile(r"(.+_layer)(\d+)")
MASK_LAYER = "3"  # of a scanner that writes its image as layer 0 and what it computed of it as further ones
BETWEEN = "is a layer between an image and its mask, and no image of its own"


def open_metaimage(path: Path) -> Opened:
    """One file on its own.

    Raises:
        DataError: as of `Source.open`.
    """
    return opened(read_volume(path), Facts())


@dataclass(frozen=True)
class Known:
    """What stands beside a header.

    Attributes:
        masks: names and headers of label maps.
        ejection_fraction: as an index says it.
    """

    masks: tuple[tuple[str, Path], ...] = ()
    ejection_fraction: str = ""


class MetaImageSource:
    """Headers below a folder, with what an ``index.csv`` in it says of them, if there is one."""

    name = "metaimage"
    about = "MetaImage files (.mhd with .raw or .zraw, .mha), with label maps beside them"
    labels: tuple[tuple[str, str, Relation], ...] = ()
    needs_sector = True

    def recognises(self, root: Path) -> bool:
        """A header, or a folder with one among its first files."""
        return root.suffix.lower() in SUFFIXES if root.is_file() else has_any(root, SUFFIXES)

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """An item a header, but for those of label maps, which go with their image.

        Raises:
            DataError: the index cannot be read.
        """
        folder = root.parent if root.is_file() else root
        rows: dict[Path, Row] = {}
        for row in _index(folder / INDEX):
            if isinstance(row, Refused):
                yield row
            else:
                rows[folder / row["path"]] = row
        for path in [root] if root.is_file() else walk(root):
            if isinstance(path, Refused):
                yield path
            elif path.suffix.lower() in SUFFIXES:
                yield from _listed(folder, path, rows.pop(path, Row()))
        if root.is_dir():
            yield from (refused_line(folder / INDEX, row, _why_not(path)) for path, row in rows.items())

    def open(self, item: Item) -> Opened:
        """The frames, and the label maps that fit them.

        Raises:
            DataError: as of `Source.open`.
        """
        volume, known = read_volume(item.path), item.known or Known()
        doubts: list[str] = []
        fraction = believed("ejection fraction", known.ejection_fraction, PERCENT, doubts)
        masks = [found for name, path in known.masks if (found := _mask(name, path, volume, doubts))]
        return opened(volume, Facts(ejection_fraction=fraction, doubts=tuple(doubts)), masks)


def _index(index: Path) -> Iterator[Row | Refused]:
    return first_of_each(read_table(index, ["path"]), ["path"], index) if index.is_file() else iter(())


def _listed(folder: Path, path: Path, row: Row) -> Iterator[Item | Refused]:
    """The item of a header; nothing for a label map that lies on another."""
    masks, layer = tuple(_masks(path)), LAYER.fullmatch(path.stem)
    if _is_mask(path):
        return
    name = name_below(folder, path)
    if layer and layer[2] != "0" and _sibling(path, f"{layer[1]}0"):
        yield Refused(name, path, BETWEEN)
        return
    data = (path.with_suffix(suffix) for suffix in (".raw", ".zraw"))
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


def _masks(path: Path) -> Iterator[tuple[str, Path]]:
    """Names and headers of the label maps of an image."""
    layer = LAYER.fullmatch(path.stem)
    named = [(name, f"{path.stem}_{name}") for name in MASKS]
    if layer and layer[2] == "0":
        named.append((f"layer{MASK_LAYER}", layer[1] + MASK_LAYER))
    for name, stem in named:
        if found := _sibling(path, stem):
            yield name, found


def _is_mask(path: Path) -> bool:
    stem, _, last = path.stem.rpartition("_")
    layer = LAYER.fullmatch(path.stem)
    image = f"{layer[1]}0" if layer and layer[2] == MASK_LAYER else stem if last in MASKS else ""
    return bool(image) and _sibling(path, image) is not None


def _sibling(path: Path, stem: str) -> Path | None:
    """A header of this name beside another."""
    found = (path.with_name(stem + suffix) for suffix in sorted(SUFFIXES))
    return next((each for each in found if each.is_file()), None)


def _why_not(path: Path) -> str:
    return "leads to a file that is no MetaImage header" if path.is_file() else "leads to no file below this folder"


def _mask(name: str, path: Path, image: Volume, doubts: list[str]) -> Placed | None:
    frames = tuple(range(image.count))
    try:
        volume = read_volume(path)
        reason = misfit(volume, image, frames)
    except DataError as error:
        reason = error.what
    if reason:
        doubts.append(f"its label map {name} {reason}: left out")
        return None
    return Placed(name, volume, frames)
