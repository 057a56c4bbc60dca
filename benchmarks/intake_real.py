"""What becomes of every file of the real data sets: taken in, kept apart, left to a person or refused, and why."""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.claims import Measured, Row, at_most, told
from benchmarks.real_data import data_folder

if TYPE_CHECKING:
    from federated.vocabulary import Vocabulary
    from site_agent.archive import Archive
    from site_agent.intake.ingest import Order
    from site_agent.intake.reports import Aside

NOTE = (
    "Each folder is taken in by the command that a person would give, with the columns of its own index, and the "
    "format found by itself. An item is a file, or what an index or a layout says of one; a clip is one item. Nobody "
    "has cleared what is set aside, so that it is counted as it comes. Volumes of a brain are no ultrasound, and are "
    "there to show that they are held back. Every reason was held against the file by eye, and one is wrong: the "
    "gallery's 25_plax-full-la is B-mode, and its coloured overlays are taken for colour Doppler."
)


@dataclass(frozen=True)
class Folder:
    """A folder and how it is taken in.

    Attributes:
        name: below the folder of all real data.
        columns: as of ``--columns``.
        label: column with the words that are the labels; "" where nothing is labelled.
        format: as of ``--format``.
    """

    name: str
    columns: str = ""
    label: str = ""
    format: str = "auto"


FOLDERS = (
    Folder("us_dicom"),
    Folder("vital_echo_mhd", label="view"),
    Folder("tte47_gallery", "label=view", "view"),
    Folder("pocus_lung_multisite", "patient=split_group,clip=clip_id", "label"),
    Folder("pocus_lung_multisite/originals"),
    Folder("breast_us_two_site", "patient=split_group", "label"),
    Folder("breast_us_two_site/originals"),
    Folder("echodiffusion_synthetic", "label=kind,patient=anatomy", "kind"),
    Folder("msd_hippocampus/images"),
    Folder("ants_brain"),
    Folder("ants_brain", format="images"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a folder: items listed, taken in and there already, and those that were not taken in."""

    format: str
    listed: int
    taken: int
    duplicates: int
    aside: tuple[Aside, ...]


def measure(*, quick: bool) -> Measured:
    """Rows of folder, state and reason."""
    rows: list[Row] = []
    unsaid = 0
    for folder in FOLDERS[:2] if quick else FOLDERS:
        outcome = taken_in(data_folder(), folder)
        unsaid += outcome.listed - outcome.taken - outcome.duplicates - len(outcome.aside)
        rows += _rows(folder, outcome)
    states = Counter[str]()
    for row in rows:
        states[str(row["state"])] += int(row["items"] or 0)
    return Measured(
        rows=tuple(rows),
        claims=(
            at_most("items of real data of which nothing is said", unsaid, "", 0),
            *(told(f"items of real data {state}", count, "") for state, count in states.items()),
        ),
        notes=(NOTE,),
    )


def taken_in(data: Path, folder: Folder) -> Outcome:
    """A folder, taken in on its own."""
    from federated.errors import DataError
    from federated.label_map import LabelMap
    from site_agent.archive import Archive
    from site_agent.intake.ingest import ingest
    from site_agent.intake.quarantine import set_aside
    from site_agent.sources import source_of

    root, order = data / folder.name, _order(folder)
    source = source_of(root, order.format, order.columns)
    with tempfile.TemporaryDirectory() as place:
        archive = Archive(Path(place, "catalogue.sqlite"), Path(place, "frames"), bytes(32))
        with suppress(DataError):  # where nothing at all is taken in; what became of it stands in the archive
            ingest(archive, _vocabulary(root, folder), LabelMap(), root, order)
        return Outcome(
            format=source.name,
            listed=sum(1 for _ in source.scan(root)),
            taken=_count(archive, "taken"),
            duplicates=_count(archive, "duplicate"),
            aside=tuple(set_aside(archive)),
        )


def _order(folder: Folder) -> Order:
    from site_agent.intake.ingest import Order, cores
    from site_agent.sources.index import parse_columns

    return Order(format=folder.format, columns=parse_columns(folder.columns), processes=cores())


def _vocabulary(root: Path, folder: Folder) -> Vocabulary:
    """The words of the index, as they are."""
    from federated.vocabulary import builtin_vocabulary, plain_vocabulary

    if not folder.label:
        return builtin_vocabulary("heart")
    with (root / "index.csv").open(newline="", encoding="utf-8") as file:
        words = {row[folder.label] for row in csv.DictReader(file)}
    return plain_vocabulary("words", sorted(words))


def _count(archive: Archive, state: str) -> int:
    return int(archive.catalogue.rows("SELECT count(*) FROM items WHERE state = ?", (state,))[0][0])


def _rows(folder: Folder, outcome: Outcome) -> list[Row]:
    reasons = Counter((one.state, one.reason) for one in outcome.aside)
    counts = [("taken", "", outcome.taken), ("duplicate", "is there already", outcome.duplicates)]
    counts += [(state, reason, count) for (state, reason), count in reasons.most_common()]
    return [
        {
            "table": "Real data, item by item",
            "folder": folder.name,
            "format": outcome.format,
            "state": state,
            "reason": reason,
            "items": count,
        }
        for state, reason, count in counts
        if count
    ]
