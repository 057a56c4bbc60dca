"""What lies beside the decision log and never enters it: answers and features, and names that are sealed (SQLite).

Rows are committed before the log's checkpoint names their records, so that whatever the log holds is here as well;
rows beyond the log are of a process that was killed in between, and go when the log is written next. A patient who is
forgotten goes from here; the leaf stays, which holds nothing but keyed digests.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from federated.errors import ConsiliumError, ContractError
from federated.files import disk_is_full
from federated.statistics import Array

BUSY_SECONDS = 60.0
TABLES = (
    """CREATE TABLE IF NOT EXISTS details (
        number INTEGER PRIMARY KEY, patient TEXT NOT NULL, word TEXT NOT NULL, name BLOB NOT NULL,
        answer BLOB, features BLOB, width INTEGER, frames TEXT NOT NULL DEFAULT '', who BLOB, note BLOB)""",
    "CREATE INDEX IF NOT EXISTS by_patient ON details (patient)",
    "CREATE INDEX IF NOT EXISTS by_word ON details (word)",
    """CREATE TABLE IF NOT EXISTS told (
        digest TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, size INTEGER NOT NULL)""",
)
COLUMNS = "number, patient, word, name, answer, features, width, frames, who, note"


@dataclass(frozen=True)
class Detail:
    """What is known here of one record.

    Attributes:
        number: of the record.
        patient: the pseudonym that the catalogue has as well.
        word: of the image or clip, by which it is found: a keyed digest.
        name: sealed: the image's or clip's own, as in ``predictions.jsonl``.
        answer: canonical JSON of the decision; None of a flag.
        features: (1, M) of an image; None of a clip, whose rows are those of its images, and of a flag.
        frames: numbers of the records of a clip's images.
        who, note: sealed: who flagged, and what they wrote.
    """

    number: int
    patient: str
    word: str
    name: bytes
    answer: bytes | None = None
    features: Array | None = None
    frames: tuple[int, ...] = ()
    who: bytes | None = None
    note: bytes | None = None


@dataclass(frozen=True)
class Told:
    """A summary that was drafted: which records it counts, and how far the log went."""

    digest: str
    first: int
    last: int
    size: int


@contextmanager
def details(path: Path) -> Iterator[sqlite3.Connection]:
    """One writer at a time; everything inside happens, or nothing.

    Raises:
        ConsiliumError: the disk is full, or the file is no database.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("BEGIN IMMEDIATE")
            for table in TABLES:
                connection.execute(table)
            yield connection
            connection.execute("COMMIT")
    except OSError as error:
        raise ConsiliumError(f"cannot be opened ({error.strerror})", where=str(path)) from error
    except sqlite3.DatabaseError as error:
        if "disk is full" in str(error):
            raise disk_is_full(path) from error
        raise ConsiliumError(f"cannot be used ({error})", where=str(path), cure="restore it from the backup") from error


def put(connection: sqlite3.Connection, rows: Sequence[Detail]) -> None:
    """Rows of records that are about to be logged."""
    values = [
        (
            row.number,
            row.patient,
            row.word,
            row.name,
            row.answer,
            None if row.features is None else np.ascontiguousarray(row.features, "<f8").tobytes(),
            None if row.features is None else row.features.shape[1],
            " ".join(map(str, row.frames)),
            row.who,
            row.note,
        )
        for row in rows
    ]
    connection.executemany(f"INSERT INTO details ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608


def drop_beyond(connection: sqlite3.Connection, size: int) -> None:
    """Rows of records that the log does not have."""
    connection.execute("DELETE FROM details WHERE number >= ?", (size,))
    connection.execute("DELETE FROM told WHERE size > ?", (size,))


def some(connection: sqlite3.Connection, begin: int, end: int) -> list[Detail]:
    """What is here of some records, without features, by number."""
    columns = COLUMNS.replace("features, width", "NULL, NULL")
    query = f"SELECT {columns} FROM details WHERE number >= ? AND number < ? ORDER BY number"  # noqa: S608
    return [_detail(row) for row in connection.execute(query, (begin, end))]


def find(connection: sqlite3.Connection, number: int) -> Detail | None:
    """What is here of a record, features and all; those of a clip are its images', in their order.

    Raises:
        ContractError: an image of the clip is not here any more.
    """
    detail = _find(connection, number)
    if detail is None or not detail.frames:
        return detail
    parts = [_find(connection, each) for each in detail.frames]
    rows = [part.features for part in parts if part is not None and part.features is not None]
    if len(rows) != len(parts):
        raise ContractError("images of this clip are not here any more", where=f"record {number}")
    return Detail(**{**vars(detail), "features": np.concatenate(rows)})


def numbers_of(connection: sqlite3.Connection, word: str, end: int) -> list[int]:
    """Records of decisions on an image or a clip, by its keyed name."""
    query = "SELECT number FROM details WHERE word = ? AND answer IS NOT NULL AND number < ? ORDER BY number"
    return [row[0] for row in connection.execute(query, (word, end))]


def patients(connection: sqlite3.Connection) -> set[str]:
    """Everybody of whom something is here."""
    return {row[0] for row in connection.execute("SELECT DISTINCT patient FROM details")}


def count(connection: sqlite3.Connection, patient: str) -> int:
    """How many rows are of a patient."""
    found: int = connection.execute("SELECT count(*) FROM details WHERE patient = ?", (patient,)).fetchone()[0]
    return found


def forget(connection: sqlite3.Connection, patient: str) -> int:
    """Removes everything of a patient; how many rows."""
    return connection.execute("DELETE FROM details WHERE patient = ?", (patient,)).rowcount


def put_told(connection: sqlite3.Connection, told: Told) -> None:
    """Writes down that a summary was drafted; again is no work."""
    row = (told.digest, told.first, told.last, told.size)
    connection.execute("INSERT OR IGNORE INTO told VALUES (?, ?, ?, ?)", row)


def all_told(connection: sqlite3.Connection) -> list[Told]:
    """Summaries that were drafted, oldest first."""
    return [Told(*row) for row in connection.execute("SELECT digest, first, last, size FROM told ORDER BY size, last")]


def _find(connection: sqlite3.Connection, number: int) -> Detail | None:
    row = connection.execute(f"SELECT {COLUMNS} FROM details WHERE number = ?", (number,)).fetchone()  # noqa: S608
    return None if row is None else _detail(row)


def _detail(
    row: tuple[int, str, str, bytes, bytes | None, bytes | None, int | None, str, bytes | None, bytes | None],
) -> Detail:
    number, patient, word, name, answer, features, width, frames, who, note = row
    array = None if features is None or width is None else np.frombuffer(features, "<f8").reshape(-1, width)
    return Detail(number, patient, word, name, answer, array, tuple(map(int, frames.split())), who, note)
