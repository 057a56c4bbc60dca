"""EchoNet-Dynamic: apical four-chamber clips of adults, with volumes and the ventricle traced in two frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from site_agent.sources.csv_tables import columns_of
from site_agent.sources.echonet import (
    FILES,
    TRACINGS,
    VIDEOS,
    Known,
    listed_clips,
    opened_clip,
    read_tracings,
    stem_of,
    untraced,
)
from site_agent.sources.plausible import PERCENT, believed, volumes
from site_agent.sources.source import Facts, Item, Opened, Refused, Relation
from site_agent.sources.splits import fold_of

CHORD = ("X1", "Y1", "X2", "Y2")
LABELS: tuple[tuple[str, str, Relation], ...] = (("A4C", "399214001", "same"),)


class EchoNetDynamicSource:
    """A folder with the list of files, that of tracings and the clips."""

    name = "echonet-dynamic"
    about = "EchoNet-Dynamic: FileList.csv, VolumeTracings.csv and Videos/"
    labels = LABELS
    needs_sector = False

    def recognises(self, root: Path) -> bool:
        """Its three names, and volumes in the list or chords in the tracings."""
        if not ((root / FILES).is_file() and (root / VIDEOS).is_dir()):
            return False
        return "EDV" in columns_of(root / FILES) or "X1" in columns_of(root / TRACINGS)

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """An item a clip: each is of another patient.

        Raises:
            DataError: a table cannot be read, or lacks a column.
        """
        yield from untraced(root)
        table = read_tracings(root, CHORD)
        for clip in listed_clips(root, ["EF", "ESV", "EDV", "Split"]):
            if isinstance(clip, Refused):
                yield clip
                continue
            row, path = clip
            name = stem_of(row["FileName"])
            yield Item(
                name=f"{VIDEOS}/{path.name}",
                path=path,
                patient=name,
                clip=name,
                label="A4C",
                fold=fold_of(row["Split"]),
                known=Known(dict(row), table.of(name)),
            )

    def open(self, item: Item) -> Opened:
        """The clip; chords of two frames.

        Raises:
            DataError: as of `Source.open`.
        """
        known: Known = item.known
        doubts: list[str] = []
        large, small = volumes(known.said["EDV"], known.said["ESV"], doubts)
        facts = Facts(
            ejection_fraction=believed("ejection fraction", known.said["EF"], PERCENT, doubts),
            end_diastolic_ml=large,
            end_systolic_ml=small,
            masked=True,
        )
        return opened_clip(item.path, facts, known, "chords", doubts)
