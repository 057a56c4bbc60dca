"""Closing what was taken in: labels, folds and batches, all in one transaction; until then no task sees it.

Each expert version has machines of its own: the first batch's are version 1, and what comes from a machine that no
version knows begins the next one, in a batch of its own. Nothing that was taken in before is touched.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from federated.errors import DataError
from federated.vocabulary import Vocabulary
from site_agent.archive import Archive
from site_agent.catalogue import COUNTS
from site_agent.folds import assign_folds

PENDING = "FROM clips JOIN items ON clips.item = items.key WHERE clips.batch IS NULL AND items.root = ?"


@dataclass(frozen=True)
class Pending:
    """A clip that waits: its row, whose it is, what it shows, the fold asked for, and its machine."""

    id: int
    patient: str
    label: str
    fold: str | None
    machine: str


def close(
    connection: sqlite3.Connection,
    archive: Archive,
    vocabulary: Vocabulary,
    codes: Mapping[str, str],
    root: str,
    *,
    label_map: str,
    pixels: str,
) -> list[str]:
    """Puts what waits of one root into batches, whose names it returns.

    Args:
        connection: in a transaction.
        archive: where it waits.
        vocabulary: of the federation.
        codes: hospital's word -> code, for every word that waits.
        root: key of what was taken in.
        label_map: digest of the map that the codes come from.
        pixels: the rule for pixels that was followed.

    Raises:
        DataError: a patient would be in two folds.
    """
    _label(connection, archive, vocabulary, codes, root)
    waiting = [
        Pending(*row)
        for row in connection.execute(
            f"SELECT id, patient, coalesce(label, ''), fold, machine {PENDING} ORDER BY id",
            (root,),
        )
    ]
    if not waiting:
        return []
    experts = _experts(connection, sorted({clip.machine for clip in waiting}))
    names = _open_batches(connection, waiting, experts, (root, label_map, pixels))
    _settle_patients(connection, waiting, {clip.id: names[experts[clip.machine]] for clip in waiting})
    connection.executemany(
        "UPDATE clips SET batch = ? WHERE id = ?", [(names[experts[clip.machine]], clip.id) for clip in waiting]
    )
    return list(names.values())


def words_waiting(connection: sqlite3.Connection, archive: Archive, root: str) -> set[str]:
    """The hospital's words for what waits of a root."""
    sealed = connection.execute(f"SELECT DISTINCT word {PENDING}", (root,))
    return {archive.name(row[0]) for row in sealed} - {""}


def _label(
    connection: sqlite3.Connection, archive: Archive, vocabulary: Vocabulary, codes: Mapping[str, str], root: str
) -> None:
    concepts = {concept.code: concept for concept in vocabulary.concepts}
    found = connection.execute(f"SELECT DISTINCT word {PENDING}", (root,)).fetchall()
    rows = []
    for (sealed,) in found:
        if word := archive.name(sealed):
            concept = concepts[codes[word]]
            rows.append((concept.code, concept.view or concept.code, concept.contrast, sealed))
    connection.executemany("UPDATE clips SET label = ?, view = ?, contrast = ? WHERE batch IS NULL AND word = ?", rows)


def _experts(connection: sqlite3.Connection, machines: Sequence[str]) -> dict[str, int]:
    """Expert version of each machine; those not met before begin the next one together."""
    known = dict(connection.execute("SELECT machine, expert FROM machines").fetchall())
    following = max(known.values(), default=0) + 1
    new = [machine for machine in machines if machine not in known]
    connection.executemany("INSERT INTO machines VALUES (?, ?)", [(machine, following) for machine in new])
    return {machine: known.get(machine, following) for machine in machines}


def _open_batches(
    connection: sqlite3.Connection, waiting: Sequence[Pending], experts: Mapping[str, int], about: tuple[str, str, str]
) -> dict[int, str]:
    """Expert version -> name of its new batch."""
    number = connection.execute("SELECT count(*) FROM batches").fetchone()[0]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    names = {}
    for expert in sorted({experts[clip.machine] for clip in waiting}):
        number += 1
        names[expert] = f"b{number:04d}"
        root, label_map, pixels = about
        connection.execute(
            "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", (names[expert], now, root, expert, label_map, pixels)
        )
    return names


def _settle_patients(connection: sqlite3.Connection, waiting: Sequence[Pending], batches: Mapping[int, str]) -> None:
    """Folds of the patients not met before."""
    folds = dict(connection.execute("SELECT pseudonym, fold FROM patients").fetchall())
    labels: dict[str, set[str]] = defaultdict(set)
    given: dict[str, str] = {}
    first: dict[str, str] = {}
    for clip in waiting:
        asked = folds.get(clip.patient) or given.get(clip.patient)
        if clip.fold and asked and asked != clip.fold:
            raise DataError(
                f"a patient is in {asked} already and cannot move to {clip.fold}",
                where="split",
                cure="put all images of a patient in one split, as it was before",
            )
        if clip.patient not in folds:
            labels[clip.patient].add(clip.label)
            first.setdefault(clip.patient, batches[clip.id])
            given.update({clip.patient: clip.fold} if clip.fold else {})
    counts = {(fold, label): number for fold, label, number, _ in connection.execute(COUNTS)}
    new = assign_folds({patient: frozenset(its) for patient, its in labels.items()}, given, counts)
    rows = [(patient, fold, first[patient]) for patient, fold in new.items()]
    connection.executemany("INSERT INTO patients VALUES (?, ?, ?)", rows)
