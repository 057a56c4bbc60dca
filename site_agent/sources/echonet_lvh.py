"""EchoNet-LVH: parasternal long-axis clips in four batches, with walls and cavity measured between two points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from site_agent.sources.csv_tables import Row, first_of_each, read_table, refused_line
from site_agent.sources.echonet import SUFFIX, missing, stem_of, unlisted
from site_agent.sources.images import open_cine
from site_agent.sources.plausible import RATES_HZ, believed, spacing, whole
from site_agent.sources.source import MAX_FRAMES, Annotation, Item, Opened, Refused, Relation
from site_agent.sources.splits import fold_of

MEASUREMENTS, BATCHES = "MeasurementsList.csv", "Batch[0-9]*"
NAME = "HashedFileName"
COLUMNS = (NAME, "Calc", "CalcValue", "Frame", "X1", "X2", "Y1", "Y2", "split")
CALCS = ("LVIDd", "IVSd", "LVPWd", "LVIDs", "IVSs", "LVPWs")  # the letter at the end is the moment
LABELS: tuple[tuple[str, str, Relation], ...] = (("PLAX", "399139001", "same"),)
CENTIMETRES = (0.05, 20.0)
PIXELS = (-1e5, 1e5)
MM_PER_CM = 10.0
AGREEMENT, ENDS = 0.1, 2.0  # a length in the body may differ from its image's by so much of it and so many pixels


@dataclass(frozen=True)
class Measured:
    """One believed line of the table: the distance of two points of a frame."""

    calc: str
    centimetres: float
    frame: int
    ends: tuple[tuple[float, float], tuple[float, float]]

    @property
    def pixels(self) -> float:
        """Its length in the image."""
        return float(np.hypot(*np.subtract(*self.ends)))


class EchoNetLvhSource:
    """Folders of clips and one table of measurements."""

    name = "echonet-lvh"
    about = "EchoNet-LVH: Batch1/ to Batch4/ and MeasurementsList.csv"
    labels = LABELS
    needs_sector = False

    def recognises(self, root: Path) -> bool:
        """Its table and a batch."""
        return (root / MEASUREMENTS).is_file() and any(each.is_dir() for each in root.glob(BATCHES))

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """An item a clip, in the order in which the table first names them.

        Raises:
            DataError: the table cannot be read, or lacks a column.
        """
        table = root / MEASUREMENTS
        clips: dict[str, list[Row]] = {}
        for row in first_of_each(read_table(table, COLUMNS), [NAME, "Calc", "Frame"], table):
            if isinstance(row, Refused):
                yield row
            else:
                clips.setdefault(stem_of(row[NAME]), []).append(row)
        batches = sorted(each for each in root.glob(BATCHES) if each.is_dir())
        for name, rows in clips.items():
            yield _item(root, name, rows, batches)
        yield from unlisted(root, batches, {f"{name}{SUFFIX}" for name in clips}, MEASUREMENTS)

    def open(self, item: Item) -> Opened:
        """The clip; the two ends of every measurement as points.

        Raises:
            DataError: as of `Source.open`.
        """
        rows: Sequence[Mapping[str, str]] = item.known
        opened = open_cine(item.path)
        doubts: list[str] = []
        found = [each for row in rows if (each := _measured(row, opened.count or MAX_FRAMES, doubts))]
        rate = believed("frames a second", rows[0].get("FPS", ""), RATES_HZ, doubts)
        facts = replace(
            opened.facts,
            rate_hz=rate or opened.facts.rate_hz,
            spacing_mm=_spacing(found, doubts),
            end_diastole=_moment(found, "d", doubts),
            end_systole=_moment(found, "s", doubts),
            measures={f"{each.calc}_mm": each.centimetres * MM_PER_CM for each in reversed(found)},
            doubts=tuple(doubts),
        )
        drawn = tuple(Annotation(each.frame, each.calc, "points", np.array(each.ends)) for each in found)
        return replace(opened, facts=facts, annotations=lambda: drawn)


def _item(root: Path, name: str, rows: Sequence[Row], batches: Sequence[Path]) -> Item | Refused:
    paths = [batch / f"{name}{SUFFIX}" for batch in batches]
    reasons = [missing(path, rows[0][NAME]) for path in paths] or ["names a clip that is not there"]
    if "" not in reasons:
        return refused_line(root / MEASUREMENTS, rows[0], reasons[0])
    path = paths[reasons.index("")]
    return Item(
        name=f"{path.parent.name}/{path.name}",
        path=path,
        patient=name,
        clip=name,
        label="PLAX",
        fold=fold_of(rows[0]["split"]),
        known=tuple(dict(row) for row in rows),
    )


def _measured(row: Mapping[str, str], count: int, doubts: list[str]) -> Measured | None:
    """A measurement, where all of it is believed."""
    calc = row["Calc"]
    if calc not in CALCS:
        return None
    value = believed(f"{calc} in cm", row["CalcValue"], CENTIMETRES, doubts)
    frame = whole(f"frame of {calc}", row["Frame"], (0, count - 1), doubts)
    x1, x2, y1, y2 = (believed(f"{axis} of {calc}", row[axis], PIXELS, doubts) for axis in ("X1", "X2", "Y1", "Y2"))
    if value is None or frame is None or x1 is None or x2 is None or y1 is None or y2 is None:
        return None
    return Measured(calc, value, frame, ((x1, y1), (x2, y2)))


def _moment(found: Sequence[Measured], letter: str, doubts: list[str]) -> int | None:
    """The frame in which a moment was measured, by the first of `CALCS` that there is."""
    frames = [each.frame for calc in CALCS for each in found if each.calc == calc and calc.endswith(letter)]
    if len(set(frames)) > 1:
        doubts.append(f"measurements of end-{'dia' if letter == 'd' else 'sy'}stole lie in {len(set(frames))} frames")
    return next(iter(frames), None)


def _spacing(found: Sequence[Measured], doubts: list[str]) -> tuple[float, float] | None:
    """The side of a pixel: all lengths in the body over all lengths in the image."""
    lengths = [(MM_PER_CM * each.centimetres, each.pixels) for each in found]
    pixels = sum(length for _, length in lengths)
    if pixels < 1:
        return None
    side = sum(millimetres for millimetres, _ in lengths) / pixels
    if any(abs(mm - side * length) > AGREEMENT * mm + ENDS * side for mm, length in lengths):
        doubts.append("its measurements do not agree on the side of a pixel: left out")
        return None
    return spacing((side, side), doubts)
