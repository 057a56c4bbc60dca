"""What the sets of EchoNet have in common: clips as AVI, and tables of what was traced in some of their frames."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from site_agent.sources.csv_tables import Row, first_of_each, read_table, refused_line
from site_agent.sources.images import open_cine
from site_agent.sources.plausible import RATES_HZ, believed, whole
from site_agent.sources.source import MAX_FRAMES, Annotation, AnnotationKind, Facts, Opened, Refused
from site_agent.sources.walk import name_below, walk

FILES, TRACINGS, VIDEOS = "FileList.csv", "VolumeTracings.csv", "Videos"
SUFFIX = ".avi"
VENTRICLE = "lv"
NO_FRAME = frozenset({"no systolic", "no diastolic"})  # where a reader found no such frame to trace
CORNERS = 3  # of the least polygon
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Traced:
    """The lines of a table on one frame: as many numbers in each as the table has columns of them."""

    frame: int
    lines: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Tracings:
    """What is traced in a clip.

    Attributes:
        frames: in the order of the table.
        doubts: on lines that were not believed.
    """

    frames: tuple[Traced, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """What the tables say of a clip: its cells by column, and its tracings."""

    said: Mapping[str, str]
    tracings: Tracings = field(default_factory=Tracings)


class TracingTable:
    """A table of tracings, kept as plain numbers until a clip's are asked for."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._numbers: dict[str, dict[int, array[float]]] = {}
        self._wrong: dict[str, int] = {}

    def add(self, row: Row) -> None:
        """One line."""
        name = stem_of(row["FileName"])
        if row["Frame"].lower() in NO_FRAME:
            return
        doubts: list[str] = []
        frame = whole("Frame", row["Frame"], (0, MAX_FRAMES), doubts)
        values = [believed(each, row[each], (-1e5, 1e5), doubts) for each in self._columns]
        numbers = [value for value in values if value is not None]
        if frame is None or len(numbers) < len(values):
            self._wrong[name] = self._wrong.get(name, 0) + 1
        else:
            self._numbers.setdefault(name, {}).setdefault(frame, array("d")).extend(numbers)

    def of(self, name: str) -> Tracings:
        """Those of a clip; none at all where a line of them is no tracing."""
        if wrong := self._wrong.get(name):
            return Tracings(doubts=(f"{wrong} lines of its tracings hold no frame or no numbers: all left out",))
        found = self._numbers.get(name, {})
        width = len(self._columns)
        return Tracings(tuple(Traced(frame, tuple(zip(*[iter(found[frame])] * width, strict=True))) for frame in found))


def stem_of(name: str) -> str:
    """The name of a clip without ``.avi``, which tables have or have not."""
    return name[: -len(SUFFIX)] if name.lower().endswith(SUFFIX) else name


def read_tracings(folder: Path, columns: Sequence[str]) -> TracingTable:
    """The table of tracings beside a list of files; an empty one where there is none.

    Raises:
        DataError: the table cannot be read, or lacks a column.
    """
    table, path = TracingTable(columns), folder / TRACINGS
    for row in read_table(path, ["FileName", *columns, "Frame"]) if path.is_file() else ():
        table.add(row)
    return table


def untraced(folder: Path) -> Iterator[Refused]:
    """A line where there is no table of tracings."""
    if not (folder / TRACINGS).is_file():
        yield Refused(TRACINGS, folder / TRACINGS, "is not there: no frame has a tracing")


def listed_clips(folder: Path, columns: Sequence[str]) -> Iterator[tuple[Row, Path] | Refused]:
    """Lines of a list of files with the clips that they name, then the clips that no line names.

    Raises:
        DataError: the list cannot be read.
    """
    index = folder / FILES
    named: set[str] = set()
    for row in first_of_each(read_table(index, ["FileName", *columns]), ["FileName"], index):
        if isinstance(row, Refused):
            yield row
            continue
        path = folder / VIDEOS / f"{stem_of(row['FileName'])}{SUFFIX}"
        named.add(path.name)
        reason = missing(path, row["FileName"])
        yield refused_line(index, row, reason) if reason else (row, path)
    yield from unlisted(folder, [folder / VIDEOS], named, FILES)


def unlisted(root: Path, folders: Sequence[Path], named: Set[str], table: str) -> Iterator[Refused]:
    """Clips in some folders that a table does not name."""
    for folder in folders:
        for found in walk(folder):
            if isinstance(found, Refused):
                yield Refused(name_below(root, found.path), found.path, found.reason)
            elif found.suffix.lower() == SUFFIX and found.name not in named:
                yield Refused(name_below(root, found), found, f"is in no line of {table}")


def missing(path: Path, name: str) -> str:
    """Why a clip that is named cannot be an item; "" if it can."""
    if not name:
        return "names no file"
    if not name.isprintable() or name != Path(name).name:
        return "names a file elsewhere"
    try:
        return "" if path.is_file() else "names a clip that is not there"
    except OSError:
        return "names a clip that cannot be there"


def opened_clip(path: Path, facts: Facts, known: Known, kind: AnnotationKind, doubts: list[str]) -> Opened:
    """A clip with its tracings; the larger of the traced outlines is the end of diastole.

    Args:
        path: of the clip.
        facts: as far as they are known.
        known: what the tables say.
        kind: ``chords`` or ``polygon``.
        doubts: had so far.

    Raises:
        DataError: the clip cannot be read.
    """
    opened = open_cine(path)
    frames = _within(known.tracings, opened.count, doubts)
    drawn = tuple(Annotation(each.frame, VENTRICLE, kind, np.array(each.lines)) for each in frames)
    _count(known, opened.count, doubts)
    rate = believed("frames a second", known.said.get("FPS", ""), RATES_HZ, doubts)
    diastole, systole = _moments(drawn)
    told = replace(
        facts,
        rate_hz=rate or opened.facts.rate_hz,
        end_diastole=diastole,
        end_systole=systole,
        encoding=opened.facts.encoding,
        doubts=(*known.tracings.doubts, *doubts),
    )
    return replace(opened, facts=told, annotations=lambda: drawn)


def _count(known: Known, count: int | None, doubts: list[str]) -> None:
    said = whole("number of frames", known.said.get("NumberOfFrames", ""), (1, MAX_FRAMES), doubts)
    if None not in {said, count} and said != count:
        doubts.append(f"has {count} frames where its list says {said}")


def _within(tracings: Tracings, count: int | None, doubts: list[str]) -> list[Traced]:
    """Tracings of frames that there are."""
    inside = [each for each in tracings.frames if count is None or each.frame < count]
    outside = len(tracings.frames) - len(inside)
    if outside:
        doubts.append(f"{outside} traced frames lie behind the last of {count}: left out")
    return inside


def _moments(drawn: Sequence[Annotation]) -> tuple[int | None, int | None]:
    """End-diastole and end-systole; neither where fewer than two outlines were traced."""
    areas = {each.frame: area(outline(each)) for each in drawn if len(outline(each)) >= CORNERS}
    if len(areas) < 2 or len(set(areas.values())) < 2:
        return None, None
    return max(areas, key=lambda frame: areas[frame]), min(areas, key=lambda frame: areas[frame])


def outline(drawn: Annotation) -> Points:
    """The closed outline (N, 2) of chords, whose first one is the long axis, or of a polygon."""
    if drawn.kind != "chords":
        return np.asarray(drawn.values, np.float64)
    chords = drawn.values[1:]
    return np.concatenate([chords[:, :2], chords[::-1, 2:]])


def area(polygon: Points) -> float:
    """What a closed polygon encloses, in square pixels (shoelace formula)."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
