"""The site's ledger (SQLite): what waits, what left under which number, and what came from the coordinator.

It is the truth from which folders and receipts are made good after a crash: a number is taken in the same transaction
in which the sealed envelope is written down, so it is never used twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from federated.disclosure import Facts
from federated.envelope import Ledger
from federated.errors import ConsiliumError
from federated.files import disk_is_full

BUSY_SECONDS = 60.0
TABLES = (
    """CREATE TABLE IF NOT EXISTS drafts (
        digest TEXT PRIMARY KEY, kind TEXT NOT NULL, submitted TEXT NOT NULL, facts TEXT NOT NULL,
        rejected_by TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '')""",
    """CREATE TABLE IF NOT EXISTS sent (
        sequence INTEGER PRIMARY KEY CHECK (sequence > 0), digest TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
        envelope BLOB NOT NULL, facts TEXT NOT NULL, receipt TEXT NOT NULL,
        published INTEGER NOT NULL DEFAULT 0, withdrawn INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS received (
        sequence INTEGER PRIMARY KEY CHECK (sequence > 0), digest TEXT NOT NULL UNIQUE, state TEXT NOT NULL)""",
)


@dataclass(frozen=True)
class Waiting:
    """A draft that waits for an approver, or was rejected by one."""

    digest: str
    kind: str
    submitted: str
    facts: Facts
    rejected_by: str
    reason: str


@dataclass(frozen=True)
class Sent:
    """What left under a number. `published` once it lies in the outbox with its receipt."""

    sequence: int
    digest: str
    kind: str
    envelope: bytes
    receipt: str
    published: bool
    withdrawn: bool


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """One writer at a time; everything inside happens, or nothing.

    Raises:
        ConsiliumError: the disk is full, the ledger is busy, or the file is no ledger.
    """
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for table in TABLES:
                connection.execute(table)
            yield connection
            connection.execute("COMMIT")  # a connection that is closed before this rolls back
    except sqlite3.DatabaseError as error:
        raise _told(path, error) from error


def _told(path: Path, error: sqlite3.DatabaseError) -> ConsiliumError:
    if "disk is full" in str(error):
        return disk_is_full(path)
    cure = "wait until the other command is done" if "locked" in str(error) else "restore it from the backup"
    return ConsiliumError(f"the ledger cannot be used ({error})", where=str(path), cure=cure)


def put_draft(connection: sqlite3.Connection, digest: str, kind: str, when: str, facts: Facts) -> None:
    """Writes a draft down; again is no work."""
    row = (digest, kind, when, _facts_to_json(facts))
    connection.execute("INSERT OR IGNORE INTO drafts (digest, kind, submitted, facts) VALUES (?, ?, ?, ?)", row)


def drop_draft(connection: sqlite3.Connection, digest: str) -> None:
    """Forgets a draft."""
    connection.execute("DELETE FROM drafts WHERE digest = ?", (digest,))


def reject_draft(connection: sqlite3.Connection, digest: str, approver: str, reason: str) -> None:
    """Writes down who rejected a draft, and why."""
    connection.execute("UPDATE drafts SET rejected_by = ?, reason = ? WHERE digest = ?", (approver, reason, digest))


def drafts(connection: sqlite3.Connection) -> list[Waiting]:
    """Everything that waits or was rejected, oldest first."""
    query = "SELECT digest, kind, submitted, facts, rejected_by, reason FROM drafts ORDER BY rowid"
    rows = connection.execute(query)
    return [Waiting(name, kind, when, _facts_from_json(facts), by, why) for name, kind, when, facts, by, why in rows]


def find_draft(connection: sqlite3.Connection, digest: str) -> Waiting | None:
    """A draft that waits or was rejected."""
    return next((draft for draft in drafts(connection) if draft.digest == digest), None)


def sent(connection: sqlite3.Connection) -> list[Sent]:
    """Everything that left, by number."""
    query = "SELECT sequence, digest, kind, envelope, receipt, published, withdrawn FROM sent ORDER BY sequence"
    return [
        Sent(sequence, digest, kind, envelope, receipt, bool(published), bool(withdrawn))
        for sequence, digest, kind, envelope, receipt, published, withdrawn in connection.execute(query)
    ]


def find_sent(connection: sqlite3.Connection, digest: str) -> Sent | None:
    """What left with this digest."""
    return next((row for row in sent(connection) if row.digest == digest), None)


def last_sent(connection: sqlite3.Connection) -> tuple[int, str | None]:
    """The last number and its digest; 0 and None before the first."""
    row = connection.execute("SELECT sequence, digest FROM sent ORDER BY sequence DESC LIMIT 1").fetchone()
    return (row[0], row[1]) if row else (0, None)


def put_sent(
    connection: sqlite3.Connection, sequence: int, digest: str, kind: str, envelope: bytes, facts: Facts, receipt: str
) -> None:
    """Takes a number for good."""
    row = (sequence, digest, kind, envelope, _facts_to_json(facts), receipt)
    connection.execute(
        "INSERT INTO sent (sequence, digest, kind, envelope, facts, receipt) VALUES (?, ?, ?, ?, ?, ?)", row
    )


def mark_published(connection: sqlite3.Connection, sequence: int) -> None:
    """The parcel lies in the outbox and its receipt is written."""
    connection.execute("UPDATE sent SET published = 1 WHERE sequence = ?", (sequence,))


def mark_withdrawn(connection: sqlite3.Connection, digests: tuple[str, ...]) -> None:
    """Contributions that this site took back."""
    connection.executemany("UPDATE sent SET withdrawn = 1 WHERE digest = ?", [(digest,) for digest in digests])


def earlier_facts(connection: sqlite3.Connection) -> list[Facts]:
    """Facts of everything that ever left, withdrawn or not."""
    return [_facts_from_json(row[0]) for row in connection.execute("SELECT facts FROM sent ORDER BY sequence")]


def facts_by_digest(connection: sqlite3.Connection, *, withdrawn: bool) -> dict[str, Facts]:
    """Facts of what left and was taken back since, or stands."""
    rows = connection.execute("SELECT digest, facts FROM sent WHERE withdrawn = ? ORDER BY sequence", (withdrawn,))
    return {digest: _facts_from_json(facts) for digest, facts in rows}


def rename_patient(connection: sqlite3.Connection, patient: str, rename: Callable[[str], str]) -> None:
    """Puts other names in the place of a patient's and of the digests of the patient's images, everywhere alike."""
    connection.execute("PRAGMA secure_delete = ON")
    for table in ("drafts", "sent"):
        for digest, text in connection.execute(f"SELECT digest, facts FROM {table}").fetchall():  # noqa: S608
            facts = _facts_from_json(text)
            if patient in names_in(facts):
                renamed = _facts_to_json(_renamed(facts, patient, rename))
                connection.execute(f"UPDATE {table} SET facts = ? WHERE digest = ?", (renamed, digest))  # noqa: S608


def names_in(facts: Facts) -> frozenset[str]:
    """Everybody behind a draft, by the names that the ledger has for them."""
    return frozenset(facts.images).union(*facts.cells.values())


def _renamed(facts: Facts, patient: str, rename: Callable[[str], str]) -> Facts:
    cells = {
        cell: patients - {patient} | {rename(patient)} if patient in patients else patients
        for cell, patients in facts.cells.items()
    }
    images = {
        rename(name) if name == patient else name: rename(digest) if name == patient else digest
        for name, digest in facts.images.items()
    }
    return replace(facts, cells=cells, images=images)


def received_ledger(connection: sqlite3.Connection) -> Ledger:
    """What this site knows of the coordinator's envelopes."""
    rows = connection.execute("SELECT sequence, digest, state FROM received ORDER BY sequence").fetchall()
    refused = frozenset(digest for _, digest, state in rows if state == "refused")
    current = frozenset(digest for _, digest, _ in rows) - refused
    last = rows[-1] if rows else (0, None, "")
    return Ledger(sequence=last[0], last=last[1], current=current, refused=refused)


def put_received(connection: sqlite3.Connection, sequence: int, digest: str, state: str) -> None:
    """Writes down a parcel of the coordinator as unread, done or refused."""
    connection.execute("INSERT INTO received (sequence, digest, state) VALUES (?, ?, ?)", (sequence, digest, state))


def mark_done(connection: sqlite3.Connection, digest: str) -> None:
    """A parcel of the coordinator was worked on."""
    connection.execute("UPDATE received SET state = 'done' WHERE digest = ? AND state = 'unread'", (digest,))


def mark_unread(connection: sqlite3.Connection, digest: str) -> None:
    """A parcel of the coordinator is to be worked on once more."""
    connection.execute("UPDATE received SET state = 'unread' WHERE digest = ? AND state = 'done'", (digest,))


def unread(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    """Numbers and digests of parcels that wait to be read, by number."""
    query = "SELECT sequence, digest FROM received WHERE state = 'unread' ORDER BY sequence"
    return list(connection.execute(query))


def _facts_to_json(facts: Facts) -> str:
    cells = [[fold, label, sorted(patients)] for (fold, label), patients in sorted(facts.cells.items())]
    return json.dumps({**vars(facts), "cells": cells, "images": dict(facts.images)})


def _facts_from_json(text: str) -> Facts:
    fields = json.loads(text)
    fields["cells"] = {(fold, label): frozenset(patients) for fold, label, patients in fields["cells"]}
    fields["coarse"] = tuple(fields.get("coarse", ()))
    return Facts(**fields)
