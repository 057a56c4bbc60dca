"""TMED-2: stills with view and diagnosis, some without; a name is ``<patient>s<study>_<image>.png``.

The view A4CorA2CorOther says which two views an image is not, and no more. No concept means that, so that these images
come without a label, with the word beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from site_agent.sources.csv_tables import Row, first_of_each, read_table, refused_line
from site_agent.sources.images import open_still
from site_agent.sources.source import Item, Opened, Refused, Relation
from site_agent.sources.splits import fold_of
from site_agent.sources.walk import name_below, walk

TABLE = "labels_per_image.csv"
FOLDERS = (Path(), Path("approved_users_only"))
SETS = "*_set"
LABELED = "labeled"
FOLDS = Path("DEV479", "TMED2_fold0_labeledpart.csv")  # the largest of the published divisions, and its first
NAME = re.compile(r"([0-9]+)s[0-9]+_[0-9]+\.png")
MISNAMED = "is not named as the images of this set are"
WEAK = "A4CorA2CorOther"
DIAGNOSES = frozenset({"no_AS", "mild_AS", "mildtomod_AS", "moderate_AS", "severe_AS"})
LABELS: tuple[tuple[str, str, Relation], ...] = (
    ("PLAX", "399139001", "same"),
    ("PSAX", "399306005", "same"),
    ("A4C", "399214001", "same"),
    ("A2C", "399232001", "same"),
)
VIEWS = frozenset(word for word, _, _ in LABELS)


@dataclass(frozen=True)
class Known:
    """What the table says beside the view, in words of its own."""

    words: tuple[tuple[str, str], ...] = ()


class Tmed2Source:
    """The folder with the table and the sets, or the one above it."""

    name = "tmed2"
    about = "TMED-2: labels_per_image.csv with its labelled and unlabelled sets"
    labels = LABELS
    needs_sector = False

    def recognises(self, root: Path) -> bool:
        """Its table and a set."""
        return _folder(root) is not None

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """An item an image: first those of the table, then the others.

        Raises:
            DataError: a table cannot be read, or lacks a column.
        """
        folder = _folder(root) or root
        folds: dict[str, str] = {}
        if (folder / FOLDS).is_file():
            rows = read_table(folder / FOLDS, ["query_key", "view_classifier_split"])
            folds = {row["query_key"]: row["view_classifier_split"] for row in rows}
        else:
            yield Refused(FOLDS.as_posix(), folder / FOLDS, "is not there: no image asks for a fold")
        labelled: dict[str, Path] = {}
        for found in _images(root, folder, labelled=True):
            if isinstance(found, Refused):
                yield found
            elif labelled.setdefault(found.name, found) != found:
                yield Refused(name_below(root, found), found, "repeats an image of this name")
        for row in first_of_each(
            read_table(folder / TABLE, ["query_key", "view_label"]), ["query_key"], folder / TABLE
        ):
            yield row if isinstance(row, Refused) else _told(root, folder / TABLE, row, labelled, folds)
        yield from (_item(root, path) for path in labelled.values())
        for found in _images(root, folder, labelled=False):
            yield found if isinstance(found, Refused) else _item(root, found)

    def open(self, item: Item) -> Opened:
        """The still.

        Raises:
            DataError: as of `Source.open`.
        """
        opened = open_still(item.path)
        known: Known = item.known
        return replace(opened, facts=replace(opened.facts, words=dict(known.words)))


def _folder(root: Path) -> Path | None:
    """Where the table and the sets lie."""
    folders = (root / each for each in FOLDERS)
    return next((each for each in folders if (each / TABLE).is_file() and any(each.glob(SETS))), None)


def _images(root: Path, folder: Path, *, labelled: bool) -> Iterator[Path | Refused]:
    """Images in folders of labelled ones, or in all others; a name of another kind tells no patient."""
    for found in walk(folder):
        if isinstance(found, Refused):
            if labelled:
                yield Refused(name_below(root, found.path), found.path, found.reason)
        elif found.suffix.lower() == ".png" and (found.parent.name == LABELED) == labelled:
            yield found if NAME.fullmatch(found.name) else Refused(name_below(root, found), found, MISNAMED)


def _told(root: Path, table: Path, row: Row, images: dict[str, Path], folds: Mapping[str, str]) -> Item | Refused:
    """The item of a line, which is taken out of the images."""
    key, view, diagnosis = row["query_key"], row["view_label"], row.get("diagnosis_label", "")
    if not NAME.fullmatch(key):
        return refused_line(table, row, "names no image")
    if key not in images:
        return refused_line(table, row, "names an image that is not there")
    words = (("diagnosis", diagnosis),) if diagnosis in DIAGNOSES else ()
    item = _item(root, images.pop(key))
    if view == WEAK:
        return replace(item, fold=fold_of(folds.get(key, "")), known=Known((*words, ("view_label", view))))
    label = "" if view.lower() == "not_provided" else view
    return replace(item, label=label, fold=fold_of(folds.get(key, "")), known=Known(words))


def _item(root: Path, path: Path) -> Item:
    return Item(name_below(root, path), path, patient=path.name.partition("s")[0], known=Known())
