"""EchoNet-Pediatric: apical four-chamber and short-axis clips of children, with the ventricle's outline in two frames.

Its ten parts are for cross-validation: none is a fold here, and a site divides the patients itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from federated.errors import DataError
from site_agent.sources.echonet import (
    FILES,
    VIDEOS,
    Known,
    listed_clips,
    opened_clip,
    read_tracings,
    stem_of,
    untraced,
)
from site_agent.sources.plausible import PERCENT, YEARS, believed, sex
from site_agent.sources.source import Facts, Item, Opened, Refused, Relation
from site_agent.sources.splits import fold_of
from site_agent.sources.walk import name_below

POINT = ("X", "Y")
FOLDER = "pediatric_echo_avi"  # which the archive holds once or twice over
VIEWS = ("A4C", "PSAX")
LABELS: tuple[tuple[str, str, Relation], ...] = (("A4C", "399214001", "same"), ("PSAX", "399306005", "same"))
MEASURES = {"Age": ("age_years", YEARS), "Weight": ("weight_kg", (0.0, 400.0)), "Height": ("height_cm", (10.0, 260.0))}


class EchoNetPediatricSource:
    """A folder a view, each with the list of files, that of tracings and the clips."""

    name = "echonet-pediatric"
    about = "EchoNet-Pediatric: A4C/ and PSAX/, each with FileList.csv, VolumeTracings.csv and Videos/"
    labels = LABELS
    needs_sector = False

    def recognises(self, root: Path) -> bool:
        """A list of files in a folder with a view's name."""
        return bool(_folders(root))

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """An item a clip; what stands before the first dash of its name is the patient.

        Raises:
            DataError: it is no such folder; a table cannot be read, or lacks a column.
        """
        folders = _folders(root)
        if not folders:
            raise DataError(f"holds neither A4C nor PSAX with {FILES} and {VIDEOS}", where=str(root))
        for folder in folders:
            yield from untraced(folder)
            table = read_tracings(folder, POINT)
            for clip in listed_clips(folder, ["EF"]):
                if isinstance(clip, Refused):
                    yield clip
                    continue
                row, path = clip
                name = stem_of(row["FileName"])
                yield Item(
                    name=name_below(root, path),
                    path=path,
                    patient=name.partition("-")[0],
                    clip=f"{folder.name}/{name}",
                    label=folder.name,
                    fold=fold_of(row.get("Split", "")),
                    known=Known(dict(row), table.of(name)),
                )

    def open(self, item: Item) -> Opened:
        """The clip; outlines of two frames.

        Raises:
            DataError: as of `Source.open`.
        """
        known: Known = item.known
        doubts: list[str] = []
        found = {name: believed(key, known.said.get(key, ""), span, doubts) for key, (name, span) in MEASURES.items()}
        facts = Facts(
            ejection_fraction=believed("ejection fraction", known.said["EF"], PERCENT, doubts),
            measures={name: value for name, value in found.items() if value is not None},
            words=sex(known.said.get("Sex", "")),
            masked=True,
        )
        return opened_clip(item.path, facts, known, "polygon", doubts)


def _folders(root: Path) -> list[Path]:
    """Those of the views, at the root or one or two folders below."""
    for base in (root, root / FOLDER, root / FOLDER / FOLDER):
        views = [base / view for view in VIEWS]
        if found := [view for view in views if (view / FILES).is_file() and (view / VIDEOS).is_dir()]:
            return found
    return []
