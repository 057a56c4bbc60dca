"""Taking images in: read the hospital's index, look at every file, put each patient in a fold, write it all at once."""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from federated.errors import DataError
from federated.manifest import Frozen
from federated.vocabulary import Vocabulary
from site_agent.catalogue import COUNTS, Catalogue
from site_agent.folds import FOLDS, assign_folds
from site_agent.index import Columns, Row, parse_columns, read_index
from site_agent.progress import track
from site_agent.sources import pictures
from site_agent.sources.images import check_usable

__all__ = ["Columns", "IngestReport", "ingest", "parse_columns"]


class IngestReport(Frozen):
    """What an ingest did: new images, those known before (`skipped`), files kept apart, and what is to be said aloud.

    `batch` is None where nothing was new.
    """

    batch: str | None
    images: int
    patients: int
    labels: dict[str, int]
    skipped: int
    quarantined: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Image:
    """One image found usable, before it has a fold."""

    path: Path
    sha256: str
    patient: str
    label: str
    clip: str
    frame: int
    fold: str | None


@dataclass
class Findings:
    """What looking at the files brought."""

    images: list[Image] = field(default_factory=list)
    quarantined: dict[str, str] = field(default_factory=dict)
    skipped: int = 0


def ingest(
    catalogue: Path,
    secret: bytes,
    vocabulary: Vocabulary,
    label_map: Mapping[str, str],
    index: Path,
    columns: Columns | None = None,
    site: str | None = None,
) -> IngestReport:
    """Takes the images of an index (see `read_index`) into the catalogue as one batch, or changes nothing.

    From the site's `secret` come pseudonyms, and with them the order in which folds are filled. `label_map` says which
    code the hospital's words stand for (a word that is not in it is a code). With `site`, only its rows are taken.

    Raises:
        DataError: the index, or what it says, cannot be used; files that cannot be read are quarantined instead.
    """
    book = Catalogue(catalogue)
    rows = _coded(_of_site(read_index(index, columns), site, index), vocabulary, label_map)
    _check_agreement(rows)
    findings = _look(rows, secret)
    if not findings.images:
        path, reason = next(iter(findings.quarantined.items()))
        raise DataError(f"none of its {len(rows)} images can be used; {path} {reason}", where=str(index))
    with book.transaction() as connection:
        return _write(connection, findings, index, _notes_on_rows(rows, site))


def _of_site(rows: list[Row], site: str | None, index: Path) -> list[Row]:
    if site is None:
        return rows
    chosen = [row for row in rows if row.site == site]
    if not chosen:
        there = ", ".join(sorted({row.site for row in rows} - {""})) or "none"
        raise DataError(f"has no image of site '{site}'; sites there: {there}", where=str(index))
    return chosen


def _coded(rows: list[Row], vocabulary: Vocabulary, label_map: Mapping[str, str]) -> list[Row]:
    return [replace(row, label=vocabulary.require(label_map.get(row.label, row.label), where=row.line)) for row in rows]


def _check_agreement(rows: list[Row]) -> None:
    """A patient is in one split and a clip has one label.

    Raises:
        DataError: otherwise.
    """
    splits: dict[str, str] = {}
    labels: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.fold and row.patient and splits.setdefault(row.patient, row.fold) != row.fold:
            raise DataError(
                f"patient '{row.patient}' is in two splits, {splits[row.patient]} and {row.fold}",
                where=row.line,
                cure="put all images of a patient in one split",
            )
        if row.clip and labels.setdefault((row.patient, row.clip), row.label) != row.label:
            raise DataError(
                f"clip '{row.clip}' has two labels, {labels[row.patient, row.clip]} and {row.label}",
                where=row.line,
                cure="give each part a clip of its own",
            )


def _look(rows: list[Row], secret: bytes) -> Findings:
    """Reads every file once and keeps what can be used."""
    files: dict[Path, list[Row]] = defaultdict(list)
    for row in rows:
        files[row.path].append(row)
    findings = Findings()
    for path, its_rows in track(files.items(), total=len(files), what="looking at images"):
        try:
            _look_at_file(path, its_rows, secret, findings)
        except DataError as error:
            findings.quarantined[str(path)] = error.what
    return findings


def _look_at_file(path: Path, rows: list[Row], secret: bytes, findings: Findings) -> None:
    for picture in pictures(path, [row.frame for row in rows]):
        try:
            check_usable(picture.pixels)
        except DataError as error:
            findings.quarantined[f"{path}{picture.part}"] = error.what
            continue
        row = rows[picture.asked]
        patient, clip = pseudonym(secret, row, picture.file_sha256), row.clip or row.name
        image = Image(path, picture.sha256, patient, row.label, clip, picture.frame, row.fold)
        findings.images.append(image)


def pseudonym(secret: bytes, row: Row, file_digest: str) -> str:
    """HMAC-SHA256 of the patient's id; without one, of the clip's; without that, of the file's digest."""
    said = ("patient", row.patient) if row.patient else ("clip", row.clip) if row.clip else ("file", file_digest)
    return hmac.new(secret, "\0".join(said).encode(), hashlib.sha256).hexdigest()


def _write(connection: sqlite3.Connection, findings: Findings, index: Path, notes: list[str]) -> IngestReport:
    fresh = _fresh(connection, findings)
    connection.executemany("INSERT OR REPLACE INTO quarantine VALUES (?, ?)", findings.quarantined.items())
    connection.executemany("DELETE FROM quarantine WHERE path = ?", {(str(image.path),) for image in fresh})
    batch = None
    if fresh:
        number = connection.execute("SELECT count(*) FROM batches").fetchone()[0] + 1
        batch = f"b{number:04d}"
        now = datetime.now(UTC).isoformat(timespec="seconds")
        connection.execute("INSERT INTO batches VALUES (?, ?, ?)", (batch, now, str(index.absolute())))
        _write_patients(connection, fresh, batch)
        _write_cases(connection, fresh, batch)
        notes = [*notes, *_notes_on_catalogue(connection)]
    return IngestReport(
        batch=batch,
        images=len(fresh),
        patients=len({image.patient for image in fresh}),
        labels=dict(sorted(Counter(image.label for image in fresh).items())),
        skipped=findings.skipped,
        quarantined=tuple(findings.quarantined.items()),
        notes=tuple(notes),
    )


def _fresh(connection: sqlite3.Connection, findings: Findings) -> list[Image]:
    """Images not seen before; one seen before as something else is quarantined, since one of the two must be wrong."""
    known = {row[0]: row[1:] for row in connection.execute("SELECT sha256, patient, label FROM cases")}
    fresh = []
    for image in findings.images:
        first = image.sha256 not in known
        patient, label = known.setdefault(image.sha256, (image.patient, image.label))
        if first:
            fresh.append(image)
        elif label != image.label:
            reason = f"is labelled '{image.label}', but the same image is there labelled '{label}'"
            findings.quarantined[str(image.path)] = reason
        elif patient != image.patient:
            findings.quarantined[str(image.path)] = "is of one patient, but the same image is there of another"
        else:
            findings.skipped += 1
    return fresh


def _write_patients(connection: sqlite3.Connection, images: list[Image], batch: str) -> None:
    """Folds of the patients not met before.

    Raises:
        DataError: the index asks for another split than the one a patient is in.
    """
    folds = dict(connection.execute("SELECT pseudonym, fold FROM patients").fetchall())
    labels: dict[str, set[str]] = defaultdict(set)
    given = {}
    for image in images:
        if image.fold and folds.get(image.patient, image.fold) != image.fold:
            was = folds[image.patient]
            raise DataError(
                f"its patient is in {was} since an earlier ingest and cannot move to {image.fold}",
                where=str(image.path),
                cure="leave the split as it was",
            )
        if image.patient not in folds:
            labels[image.patient].add(image.label)
            given.update({image.patient: image.fold} if image.fold else {})
    counts = {(fold, label): number for fold, label, number, _ in connection.execute(COUNTS)}
    new = assign_folds({patient: frozenset(its) for patient, its in labels.items()}, given, counts)
    connection.executemany("INSERT INTO patients VALUES (?, ?, ?)", [(*item, batch) for item in new.items()])


def _write_cases(connection: sqlite3.Connection, images: list[Image], batch: str) -> None:
    owners = dict(connection.execute("SELECT clip, patient FROM cases").fetchall())
    for image in images:
        # a clip's name is the hospital's own, and two patients may each have a clip 1
        mine = owners.setdefault(image.clip, image.patient) == image.patient
        clip = image.clip if mine else f"{image.clip}@{image.patient[:8]}"
        connection.execute(
            "INSERT INTO cases (path, sha256, patient, label, clip, frame, batch) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (str(image.path), image.sha256, image.patient, image.label, clip, image.frame, batch),
        )


def _notes_on_rows(rows: list[Row], site: str | None) -> list[str]:
    notes = []
    nameless = sum(not row.patient for row in rows)
    if nameless:
        notes.append(f"{nameless} of {len(rows)} lines name no patient: each clip counts as a patient of its own")
    sites = {row.site for row in rows}
    if site is None and len(sites) > 1:
        notes.append(f"images of {len(sites)} sites are taken in as one: {', '.join(sorted(sites))}")
    return notes


def _notes_on_catalogue(connection: sqlite3.Connection) -> list[str]:
    notes = []
    labels = [row[0] for row in connection.execute("SELECT DISTINCT label FROM cases")]
    patients = dict(connection.execute("SELECT fold, count(*) FROM patients GROUP BY fold").fetchall())
    if len(labels) == 1:
        notes.append(f"every image shows '{labels[0]}': this site can vouch for that label only")
    if sum(patients.values()) == 1:
        notes.append("all images are of one patient, who can be only trained on or only tested on")
    empty = [fold for fold in FOLDS if fold not in patients]
    if empty:
        notes.append(f"too few patients to fill every fold: none in {', '.join(empty)}")
    return notes
