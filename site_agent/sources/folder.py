"""Files that an ``index.csv`` lists, or that lie in one folder a label: whatever single file is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from site_agent.sources.files import open_file
from site_agent.sources.index import INDEX, Columns, Row, read_folders, read_index
from site_agent.sources.index_masks import MaskFile, read_masks
from site_agent.sources.plausible import SPACINGS_MM, believed
from site_agent.sources.source import Item, Opened, Refused, Relation

Said = tuple[Path, str, str, str, str, str | None, bool]


@dataclass(frozen=True)
class Known:
    """What an index says of a file beside whose it is and what it shows."""

    masks: tuple[MaskFile, ...]
    spacing_mm: str


@dataclass(frozen=True)
class FolderSource:
    """Of an index, or of a folder of folders.

    Attributes:
        columns: other names of the index's columns.
        labelled: whether a label is needed.
    """

    columns: Columns = field(default_factory=Columns)
    labelled: bool = True
    name: str = "images"
    about: str = "files that an index.csv lists, or one folder a label: PNG, JPEG, GIF, AVI, MP4, MPEG, MOV and more"
    labels: tuple[tuple[str, str, Relation], ...] = ()
    needs_sector: bool = False

    def recognises(self, root: Path) -> bool:
        """An index, or any folder."""
        return root.is_dir() or root.suffix.lower() == ".csv"

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """An item a still, and one for all rows of a cine file that say the same of it.

        Raises:
            DataError: as of `read_index`.
        """
        items: dict[Said, list[Row]] = defaultdict(list)
        for row in self._rows(root):
            if isinstance(row, Refused):
                yield row
            else:
                items[_said(row)].append(row)
        yield from map(_item, items.values())

    def _rows(self, root: Path) -> Iterable[Row | Refused]:
        if root.is_dir() and not (root / INDEX).is_file():
            return read_folders(root)
        return read_index(root, self.columns, labelled=self.labelled)

    def open(self, item: Item) -> Opened:
        """The file, whatever its form, with what its lines say of it; of the size of a pixel the file knows best.

        Raises:
            DataError: as of `Source.open`.
        """
        opened, known = open_file(item.path), item.known
        if known is None:
            return opened
        drawn, said = read_masks(known.masks, moving=opened.moving)
        doubts = [*opened.facts.doubts, *said]
        side = believed("spacing_mm", known.spacing_mm, SPACINGS_MM, doubts)
        spacing = opened.facts.spacing_mm or (None if side is None else (side, side))
        told = replace(opened.facts, spacing_mm=spacing, doubts=tuple(doubts))
        return replace(opened, facts=told, annotations=lambda: (*opened.annotations(), *drawn))


def _said(row: Row) -> Said:
    return (row.path, row.label, row.patient, row.clip, row.site, row.fold, row.frame is None)


def _item(rows: list[Row]) -> Item:
    first = rows[0]
    frames = tuple(dict.fromkeys(row.frame for row in rows if row.frame is not None))
    masks = tuple(dict.fromkeys(MaskFile(row.mask, row.frame) for row in rows if row.mask is not None))
    return Item(
        name=first.name,
        path=first.path,
        companions=tuple(mask.path for mask in masks),
        patient=first.patient,
        clip=first.clip,
        label=first.label,
        site=first.site,
        frames=frames or None,
        fold=first.fold,
        known=Known(masks, first.spacing_mm) if masks or first.spacing_mm else None,
    )
