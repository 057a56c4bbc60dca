"""The site's index of its images (SQLite): what each shows, whose it is by pseudonym, and in which fold.

A patient's fold is given once and never changes. What could not be read is kept apart, with the reason.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from federated.errors import ConsiliumError

VERSION = 1
BUSY_SECONDS = 5.0
SCHEMA = """
CREATE TABLE batches (name TEXT PRIMARY KEY, ingested TEXT NOT NULL, source TEXT NOT NULL);
CREATE TABLE patients (
    pseudonym TEXT PRIMARY KEY,
    fold TEXT NOT NULL CHECK (fold IN ('train', 'validation', 'calibration', 'test')),
    batch TEXT NOT NULL REFERENCES batches
);
CREATE TABLE cases (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE,
    patient TEXT NOT NULL REFERENCES patients,
    label TEXT NOT NULL,
    clip TEXT NOT NULL,
    frame INTEGER NOT NULL,
    batch TEXT NOT NULL REFERENCES batches
);
CREATE INDEX cases_of_a_patient ON cases (patient);
CREATE TABLE quarantine (path TEXT PRIMARY KEY, reason TEXT NOT NULL);
"""
JOINED = "FROM cases JOIN patients ON patient = pseudonym"
CASES = f"SELECT id, path, sha256, patient, label, clip, frame, fold, cases.batch {JOINED}"  # our own words
COUNTS = f"SELECT fold, label, count(DISTINCT patient), count(*) {JOINED} GROUP BY fold, label ORDER BY fold, label"


@dataclass(frozen=True)
class Case:
    """One image.

    Attributes:
        path: its file; several cases share one where they are frames of a cine file.
        sha256: 64 digits, of the file's bytes (of these and the frame's number in a cine file).
        patient: pseudonym.
        label: a code of the vocabulary.
        clip: frames of one clip are answered together.
        frame: number in the clip, from 0.
        fold: train, validation, calibration or test.
        batch: the ingest that brought it.
    """

    id: int
    path: Path
    sha256: str
    patient: str
    label: str
    clip: str
    frame: int
    fold: str
    batch: str


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
            raise ConsiliumError(f"is of version {version}, this program reads {VERSION}", where=str(path))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are written all together at the end, or not at all."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                connection.execute("PRAGMA foreign_keys = ON")
                yield connection
        except sqlite3.Error as error:
            raise ConsiliumError(
                f"the catalogue cannot be used ({error})", where=str(self.path), cure=_cure(error)
            ) from error

    def _version(self) -> int:
        return int(self._rows("PRAGMA user_version")[0][0])

    def _create(self) -> None:
        with self.transaction() as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in filter(str.strip, SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")

    def cases(self, fold: str | None = None, batch: str | None = None) -> list[Case]:
        """Images in the order they came, of one fold or batch if asked."""
        chosen = {"fold": fold, "cases.batch": batch}
        wanted = {column: value for column, value in chosen.items() if value is not None}
        where = " AND ".join(["1", *(f"{column} = ?" for column in wanted)])
        rows = self._rows(f"{CASES} WHERE {where} ORDER BY id", tuple(wanted.values()))
        return [Case(row[0], Path(row[1]), *row[2:]) for row in rows]

    def batches(self) -> list[str]:
        """Names of the ingests that brought images, in order."""
        return [row[0] for row in self._rows("SELECT name FROM batches ORDER BY rowid")]

    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(fold, label) -> numbers of patients and of images."""
        rows = self._rows(COUNTS)
        return {(fold, label): (patients, images) for fold, label, patients, images in rows}

    def quarantined(self) -> list[tuple[Path, str]]:
        """Files that could not be read, with the reason."""
        return [
            (Path(path), reason) for path, reason in self._rows("SELECT path, reason FROM quarantine ORDER BY path")
        ]

    def _rows(self, query: str, values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        with self._connection() as connection:
            return connection.execute(query, values).fetchall()


def _cure(error: sqlite3.Error) -> str:
    cures = {
        "SQLITE_BUSY": "wait until the other ingest has ended",
        "SQLITE_FULL": "make room on the disk and try again",
        "SQLITE_NOTADB": "restore the file or begin with a new home",
    }
    return cures.get(getattr(error, "sqlite_errorname", ""), "see the permissions of the folder")
