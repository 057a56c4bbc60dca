"""The site's index of its images (SQLite): what each shows, whose it is by pseudonym, and in which fold.

A patient's fold is given once and never changes. What is taken in waits, unseen by every task, until its batch is
closed; what was set aside stays with its reason. Names of files and reasons are sealed: any tool may read the tables,
and none learns from them who a patient is. Of a patient who was forgotten a token remains, and the day.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from federated.errors import ConsiliumError

VERSION = 2
BUSY_SECONDS = 5.0
State = Literal["taken", "refused", "quarantined", "apart", "duplicate"]
SCHEMA = """
CREATE TABLE batches (
    name TEXT PRIMARY KEY,
    closed TEXT NOT NULL,
    source TEXT NOT NULL,
    expert INTEGER NOT NULL,
    label_map TEXT NOT NULL,
    pixels TEXT NOT NULL
);
CREATE TABLE machines (machine TEXT PRIMARY KEY, expert INTEGER NOT NULL);
CREATE TABLE patients (
    pseudonym TEXT PRIMARY KEY,
    fold TEXT NOT NULL CHECK (fold IN ('train', 'validation', 'calibration', 'test')),
    batch TEXT NOT NULL REFERENCES batches
);
CREATE TABLE items (
    key TEXT PRIMARY KEY,
    root TEXT NOT NULL,
    stamp TEXT NOT NULL,
    said TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('taken', 'refused', 'quarantined', 'apart', 'duplicate')),
    sealed BLOB NOT NULL,
    cleared INTEGER NOT NULL DEFAULT 0,
    whose TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX items_of_a_root ON items (root);
CREATE TABLE clips (
    id INTEGER PRIMARY KEY,
    item TEXT NOT NULL UNIQUE REFERENCES items ON DELETE CASCADE,
    patient TEXT NOT NULL,
    patient_known INTEGER NOT NULL,
    clip TEXT NOT NULL,
    label TEXT,
    word BLOB NOT NULL,
    fold TEXT,
    view TEXT NOT NULL DEFAULT '',
    contrast TEXT NOT NULL DEFAULT '',
    machine TEXT NOT NULL,
    spacing_y REAL,
    spacing_x REAL,
    rate_hz REAL,
    ejection_fraction REAL,
    end_diastolic_ml REAL,
    end_systolic_ml REAL,
    measures TEXT NOT NULL,
    words TEXT NOT NULL,
    header TEXT NOT NULL,
    sector TEXT NOT NULL,
    quality REAL NOT NULL,
    blanked TEXT NOT NULL,
    source TEXT NOT NULL,
    looks BLOB NOT NULL,
    frames INTEGER NOT NULL,
    batch TEXT REFERENCES batches
);
CREATE INDEX clips_of_a_patient ON clips (patient);
CREATE INDEX clips_of_a_batch ON clips (batch);
CREATE TABLE frames (
    clip INTEGER NOT NULL REFERENCES clips ON DELETE CASCADE,
    number INTEGER NOT NULL,
    place INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    phase TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (clip, number)
) WITHOUT ROWID;
CREATE INDEX frames_by_digest ON frames (sha256);
CREATE TABLE forgotten (token TEXT PRIMARY KEY, day TEXT NOT NULL) WITHOUT ROWID;
"""
JOINED = "FROM frames JOIN clips ON frames.clip = clips.id JOIN patients ON clips.patient = pseudonym"
CASES = (
    "SELECT clips.id, item, sha256, patient, coalesce(label, ''), clips.clip, number, place, fold_of, clips.batch "
    "FROM (SELECT pseudonym, fold AS fold_of FROM patients) JOIN clips ON clips.patient = pseudonym "
    "JOIN frames ON frames.clip = clips.id WHERE clips.batch IS NOT NULL"
)
COUNTS = (
    f"SELECT patients.fold, coalesce(label, ''), count(DISTINCT patient), count(*) {JOINED} "
    "WHERE clips.batch IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
)


@dataclass(frozen=True)
class Case:
    """One image.

    Attributes:
        id: of its clip.
        key: of the file of working images.
        sha256: 64 digits, of the bytes of its file (of these and the frame's number in a cine file).
        patient: pseudonym.
        label: a code of the vocabulary, or "" where nobody said what it shows.
        clip: frames of one clip are answered together; a name without meaning.
        frame: number in the clip, from 0.
        place: of the frame among the working images.
        fold: train, validation, calibration or test.
        batch: the one that brought it.
    """

    id: int
    key: str
    sha256: str
    patient: str
    label: str
    clip: str
    frame: int
    place: int
    fold: str
    batch: str


@dataclass(frozen=True)
class Aside:
    """Something listed that was not taken in: its key, what became of it, and name and reason, sealed together."""

    key: str
    state: State
    sealed: bytes


class Catalogue:
    """An SQLite file; made, empty, if it is not there.

    Raises:
        ConsiliumError: not such a file, of another version, locked by another ingest, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        version = self._version()
        if version == 0:
            self._create()
        elif version != VERSION:
            raise ConsiliumError(
                f"is of version {version}, this program reads {VERSION}",
                where=str(path),
                cure="move it away and take the images in again",
            )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are written all together at the end, or not at all."""
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection that writes what it is told at once."""
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA secure_delete = ON")  # deleted rows are overwritten
                yield connection
        except sqlite3.Error as error:
            raise ConsiliumError(
                f"the catalogue cannot be used ({error})", where=str(self.path), cure=_cure(error)
            ) from error

    def _version(self) -> int:
        return int(self.rows("PRAGMA user_version")[0][0])

    def _create(self) -> None:
        with self.transaction() as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in filter(str.strip, SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")

    def cases(self, fold: str | None = None, batch: str | None = None, *, labelled: bool = True) -> list[Case]:
        """Images in the order they came, of one fold or batch if asked; those without a label only if asked."""
        chosen = {"fold_of": fold, "clips.batch": batch}
        wanted = {column: value for column, value in chosen.items() if value is not None}
        where = "".join(f" AND {column} = ?" for column in wanted) + (" AND label IS NOT NULL" if labelled else "")
        return [Case(*row) for row in self.rows(f"{CASES}{where} ORDER BY clips.id, place", tuple(wanted.values()))]

    def batches(self) -> list[str]:
        """Names of the batches that hold anything, in order."""
        held = "SELECT name FROM batches WHERE EXISTS (SELECT 1 FROM clips WHERE batch = name) ORDER BY rowid"
        return [row[0] for row in self.rows(held)]

    def expert_of(self, batch: str) -> int:
        """Version of the site's expert that a batch is of."""
        return int(self.rows("SELECT expert FROM batches WHERE name = ?", (batch,))[0][0])

    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(fold, label) -> numbers of patients and of images."""
        return {(fold, label): (patients, images) for fold, label, patients, images in self.rows(COUNTS)}

    def aside(self) -> list[Aside]:
        """Whatever was listed and not taken in."""
        return [Aside(*row) for row in self.rows("SELECT key, state, sealed FROM items WHERE state != 'taken'")]

    def forgotten(self) -> dict[str, str]:
        """Tokens of patients who were forgotten -> the day."""
        return dict(self.rows("SELECT token, day FROM forgotten"))

    def rows(self, query: str, values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.connection() as connection:
            return connection.execute(query, values).fetchall()


def _cure(error: sqlite3.Error) -> str:
    cures = {
        "SQLITE_BUSY": "wait until the other ingest has ended",
        "SQLITE_FULL": "make room on the disk and try again",
        "SQLITE_NOTADB": "restore the file or begin with a new home",
    }
    return cures.get(getattr(error, "sqlite_errorname", ""), "see the permissions of the folder")
