"""A release applied to images: one decision an image, then one a clip, as the lines of ``predictions.jsonl``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from federated.audit.opening import open_release
from federated.deciding import decide_alone
from federated.errors import ConsiliumError, DataError
from federated.files import write_whole
from federated.manifest import Digest, Frozen
from federated.statistics import Array
from site_agent.intake.examination import LEARNT_FROM
from site_agent.intake.preparation import Prepared, Rules, evenly, prepare
from site_agent.progress import track
from site_agent.sources.files import SUFFIXES, open_file
from site_agent.sources.images import Gray
from site_agent.sources.index import Columns, Row, read_index

if TYPE_CHECKING:
    from federated.decision import Decision
    from federated.envelope import Opened
    from federated.fused_model import FusedModel
    from federated.keys import TrustFile
    from shared_models.front_ends import FrontEnd
    from site_agent.asking import Reader
    from site_agent.sources.source import Opened as OpenedFile

RULES = Rules(cleared=True)  # what is answered stays here: text in an image is no reason to set it aside


class Predicted(Frozen):
    """What came out.

    Attributes:
        abstained: of the clips.
        unreadable: names of images that could not be used, with the reason.
    """

    release: Digest
    out: str
    images: int
    clips: int
    abstained: int
    unreadable: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Shown:
    """A working image of a file.

    Attributes:
        row: that it answers.
        name: of its own.
        image: (H, W).
        spacing_mm: height and width of a pixel, where they are known.
        box: x0, y0, x1, y1 in the file of what the image shows, both ends inside.
        patient: the hospital's own number, of the index or the file's header; "" where neither says.
    """

    row: Row
    name: str
    image: Gray
    spacing_mm: tuple[float, float] | None
    box: tuple[int, int, int, int] | None = None
    patient: str = ""

    def lies(self) -> dict[str, list[int] | None]:
        """How large the image is, and which pixels of the file it shows, for lines on what was found in it."""
        return {"size": [self.image.shape[1], self.image.shape[0]], "box": None if self.box is None else [*self.box]}


class Whose(NamedTuple):
    """By what the patient of an image may be known: the hospital's words for patient and clip, and the file."""

    patient: str
    clip: str
    path: Path


@dataclass(frozen=True)
class Seen:
    """Images that were looked at: names, clips, (n, width) features, whose they are; those that could not be used."""

    images: list[str]
    clips: list[str]
    features: Array
    whose: list[Whose]
    unreadable: list[tuple[str, str]]


Note = Callable[[Seen, Sequence["Decision"]], object]


def predict(
    model: FusedModel,
    reader: FrontEnd | Reader,
    inputs: Sequence[Path],
    out: Path,
    columns: Columns | None = None,
    note: Note | None = None,
) -> Predicted:
    """Writes the decisions on some images, all or nothing.

    Args:
        model: a release.
        reader: gives of an image what the release reads: the front end's features, and what a panel says.
        inputs: indexes, folders of images, images, cine files.
        out: where the lines go.
        columns: of the indexes.
        note: logs the decisions before anybody is shown them.

    Raises:
        ConsiliumError: nothing that can be used, or nothing can be written.
    """
    seen = look(reader, rows_of(inputs, columns))
    if not seen.images:
        name, reason = seen.unreadable[0]
        raise DataError(f"none of the {len(seen.unreadable)} images can be used; {name} {reason}", where=str(inputs[0]))
    decisions = _decided(model, seen)
    if note is not None:
        note(seen, decisions)
    write_whole(out, "".join(decision.json_line() for decision in decisions).encode())
    return _predicted(model, out, decisions, seen)


def _decided(model: FusedModel, seen: Seen) -> list[Decision]:
    """One decision an image, then one a clip, each by itself and by one thread, so that it can be decided again."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, clip in enumerate(seen.clips):
        rows[clip].append(row)
    asked: list[tuple[list[int], str | None, str]] = [
        ([row], image, clip) for row, (image, clip) in enumerate(zip(seen.images, seen.clips, strict=True))
    ]
    asked += [(mine, None, clip) for clip, mine in rows.items()]
    with threadpool_limits(1):  # the last digits of a sum depend on the number of threads
        return [
            decide_alone(model, seen.features[mine], image, clip)
            for mine, image, clip in track(asked, total=len(asked), what="deciding")
        ]


def _predicted(model: FusedModel, out: Path, decisions: Sequence[Decision], seen: Seen) -> Predicted:
    clips = [decision for decision in decisions if decision.image is None]
    return Predicted(
        release=model.digest,
        out=str(out),
        images=len(seen.images),
        clips=len(clips),
        abstained=sum(decision.abstained for decision in clips),
        unreadable=tuple(seen.unreadable),
    )


def read_release(path: Path, trust: TrustFile | None = None) -> Opened:
    """A release from its file, or from a folder that holds one; its signature is checked where a trust file is given.

    Raises:
        ConsiliumError: there is none, it is something else, or its signature does not count.
    """
    return open_release(_only_parcel(path) if path.is_dir() else path, trust)


def _only_parcel(folder: Path) -> Path:
    found = sorted(folder.glob("*.parcel"))
    if len(found) != 1:
        raise ConsiliumError(f"holds {len(found)} parcels", where=str(folder), cure="name the release's file")
    return found[0]


def rows_of(inputs: Sequence[Path], columns: Columns | None = None) -> list[Row]:
    """One row an image or cine file, in the order given.

    Raises:
        DataError: nothing there, or an index that cannot be read.
    """
    return [row for path in inputs for row in _rows(path, columns)]


def _rows(path: Path, columns: Columns | None) -> list[Row]:
    if path.suffix.lower() == ".csv" or (path / "index.csv").is_file():
        return read_index(path, columns, labelled=False)
    if not path.is_dir():
        return [_row(path, str(path))]
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and file.suffix.lower() in SUFFIXES]
    if not files:
        raise DataError(
            "holds neither an index.csv nor images", where=str(path), cure=f"known are {' '.join(SUFFIXES)}"
        )
    return [_row(file, file.relative_to(path).as_posix()) for file in files]


def _row(path: Path, name: str) -> Row:
    return Row(name, name, path.absolute(), label="", patient="", site="", clip="", frame=None, fold=None)


def by_file(rows: Sequence[Row]) -> dict[Path, list[Row]]:
    """Rows by their file, files in the order of their first row."""
    files: dict[Path, list[Row]] = defaultdict(list)
    for row in rows:
        files[row.path].append(row)
    return files


def look(reader: FrontEnd | Reader, rows: Sequence[Row]) -> Seen:
    """Features of every image, file by file, prepared as when images are taken in; what cannot be used is told."""
    files = by_file(rows)
    clips = _clip_names(rows)
    found: list[tuple[str, str, Array]] = []
    whose: list[Whose] = []
    unreadable: list[tuple[str, str]] = []
    for path, its_rows in track(files.items(), total=len(files), what="looking at images"):
        try:
            for each in shown_in(path, its_rows):
                clip = clips[each.row.patient, each.row.clip or each.row.name]
                found.append((each.name, clip, reader(each.image)))
                whose.append(Whose(each.patient, each.row.clip, path))
        except DataError as error:
            unreadable.append((its_rows[0].name, error.what))
    features = np.stack([vector for _, _, vector in found]) if found else np.zeros((0, reader.features))
    return Seen([name for name, _, _ in found], [clip for _, clip, _ in found], features, whose, unreadable)


def shown_in(path: Path, rows: Sequence[Row]) -> Iterator[Shown]:
    """Working images of a file.

    Raises:
        DataError: the file cannot be used.
    """
    opened = open_file(path)
    named = [(row, row.frame) for row in rows if row.frame is not None]
    if named:
        kept = prepared_of(opened, [frame for _, frame in named])
        for (row, number), image in zip(named, kept.frames, strict=True):
            patient = row.patient or opened.facts.patient
            yield Shown(row, _part_name(row, opened, number), image, kept.spacing_mm, kept.box, patient)
    for row in rows:
        if row.frame is None:
            kept = prepared_of(opened, None)
            for place in evenly(len(kept.numbers), LEARNT_FROM):
                name = _part_name(row, opened, kept.numbers[place])
                patient = row.patient or opened.facts.patient
                yield Shown(row, name, kept.frames[place], kept.spacing_mm, kept.box, patient)


def prepared_of(opened: OpenedFile, wanted: Sequence[int] | None) -> Prepared:
    """The working images of a file, or of some of its frames.

    Raises:
        DataError: the file cannot be used.
    """
    prepared = prepare(opened, RULES, wanted)
    if prepared.state != "taken":
        raise DataError(prepared.reason)
    return prepared


def _part_name(row: Row, opened: OpenedFile, number: int) -> str:
    return f"{row.name}#{number}" if opened.moving else row.name


def _clip_names(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """(patient, clip) -> a name of its own: the clip's, after the patient's where two patients use the same."""
    patients: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        patients[row.clip or row.name].add(row.patient)
    return {
        (patient, clip): clip if len(whose) == 1 else f"{patient}/{clip}"
        for clip, whose in patients.items()
        for patient in whose
    }
