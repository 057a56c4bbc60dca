"""Rows of the catalogue as they come from looking at items, before their batch is closed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from site_agent.catalogue import State
from site_agent.intake.examination import Frame, Record
from site_agent.intake.reports import Aside, Doubt
from site_agent.sealing import pseudonym, token
from site_agent.sources.source import Item, Refused

if TYPE_CHECKING:
    from site_agent.archive import Archive
    from site_agent.intake.reports import Findings

ALIKE = 6  # of 256 bits by which two perceptual hashes of one picture may differ
UNLISTED = "unlisted"  # the stamp of what is no item
WORDS = 4  # of 64 bits in a perceptual hash
CLIP = (
    "item, patient, patient_known, clip, word, fold, machine, spacing_y, spacing_x, rate_hz, ejection_fraction, "
    "end_diastolic_ml, end_systolic_ml, measures, words, header, sector, quality, blanked, source, looks, frames"
)
CLEARED = "cleared AND state = 'quarantined'"
KNOWN = "SELECT key, root, state, stamp, said, cleared, sealed, count(number) FROM items LEFT JOIN clips ON item = key "
KNOWN += "LEFT JOIN frames ON frames.clip = clips.id GROUP BY key"


@dataclass(frozen=True)
class Known:
    """An item that was looked at before: where, what became of it, and what its files and its listing were like."""

    root: str
    state: State
    stamp: str
    said: str
    cleared: bool
    sealed: bytes
    images: int


class Looks:
    """Perceptual hashes of all clips, to find one picture under two names."""

    def __init__(self, rows: Sequence[tuple[bytes, str]]) -> None:
        self._bits = np.zeros((WORDS, max(64, 2 * len(rows))), dtype=np.uint64)
        self._patients: list[str] = []
        for looks, patient in rows:
            self.add(looks, patient)

    def add(self, looks: bytes, patient: str) -> None:
        """One more clip."""
        if len(self._patients) == self._bits.shape[1]:
            self._bits = np.concatenate([self._bits, np.zeros_like(self._bits)], axis=1)
        self._bits[:, len(self._patients)] = np.frombuffer(looks, dtype=np.uint64)
        self._patients.append(patient)

    def another(self, looks: bytes, patient: str) -> bool:
        """Whether a clip of another patient looks the same."""
        bits: NDArray[np.uint64] = self._bits[:, : len(self._patients)]
        wanted = np.frombuffer(looks, dtype=np.uint64)
        near = np.flatnonzero(np.bitwise_count(bits[0] ^ wanted[0]) <= ALIKE)  # few are, and only these are compared
        apart = np.bitwise_count(bits[:, near] ^ wanted[:, None]).sum(axis=0)
        return any(self._patients[place] != patient for place in near[apart <= ALIKE])


class Rows:
    """What is written of one root, under one rule for its pixels."""

    def __init__(self, archive: Archive, root: str, source: str, pixels: str) -> None:
        self._archive, self._root, self._source, self._pixels = archive, root, source, pixels
        self._known = {row[0]: _known(row[1:]) for row in archive.catalogue.rows(KNOWN)}
        self._forgotten = archive.catalogue.forgotten()
        self._looks = Looks([])

    def known(self, key: str, item: Item) -> Known | None:
        """What was found of an item, if it needs not be looked at again."""
        known = self._known.get(key)
        if known is None or (known.state == "quarantined" and known.cleared):
            return None
        same = known.stamp == stamp_of(item) and known.said == self._said(item, known.state)
        return known if same and (known.state != "taken" or self._archive.cache.has(key)) else None

    def cleared(self, key: str, item: Item) -> bool:
        """Whether a person has looked at an item that was set aside, as it still is, and nothing identifies in it."""
        known = self._known.get(key)
        return known is not None and known.cleared and known.stamp == stamp_of(item)

    def begin(self, looked_at: Iterable[str], seen_before: Iterable[str]) -> None:
        """Takes back what waits of the items that are looked at again, so that none is compared with what it was.

        What was listed before under another root is of this one from now on.
        """
        again = [(key,) for key in looked_at if key in self._known]
        elsewhere = [(self._root, key) for key in seen_before if self._known[key].root != self._root]
        with self._archive.catalogue.transaction() as connection:
            connection.executemany("UPDATE items SET root = ? WHERE key = ?", elsewhere)
            connection.executemany(f"UPDATE items SET stamp = '' WHERE key = ? AND NOT ({CLEARED})", again)  # noqa: S608
            connection.executemany("DELETE FROM clips WHERE item = ? AND batch IS NULL", again)
        self._looks = Looks(self._archive.catalogue.rows("SELECT looks, patient FROM clips"))

    def seen_before(self, key: str, known: Known, findings: Findings) -> None:
        """Tells again what became of an item."""
        if known.state in {"taken", "duplicate"}:
            findings.skipped += max(1, known.images)
            return
        about = json.loads(self._archive.name(known.sealed))
        findings.aside.append(Aside(name=about["name"], state=known.state, reason=about["reason"], key=key))

    def refuse(self, refused: Iterable[Refused], findings: Findings) -> None:
        """Writes down what could not even be listed."""
        rows = []
        for one in refused:
            key = self._archive.seal.key("refused", str(one.path), one.name)
            rows.append((key, self._root, UNLISTED, "", "refused", self._sealed(one.name, one.reason)))
            findings.aside.append(Aside(name=one.name, state="refused", reason=one.reason, key=key))
        with self._archive.catalogue.transaction() as connection:
            connection.execute("DELETE FROM items WHERE root = ? AND stamp = ?", (self._root, UNLISTED))
            connection.executemany(
                "INSERT OR REPLACE INTO items (key, root, stamp, said, state, sealed) VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    def add(self, found: Sequence[tuple[Item, Record]], findings: Findings) -> None:
        """Writes what was found, all of it or nothing."""
        if not found:
            return
        with self._archive.catalogue.transaction() as connection:
            for item, record in found:
                self._add(connection, item, record, findings)

    def _add(self, connection: sqlite3.Connection, item: Item, record: Record, findings: Findings) -> None:
        if (day := self._forgotten.get(token(self._archive.secret, self._whose(item, record)))) is not None:
            self._archive.cache.discard(record.key)  # nothing of it is written, not even that it was listed
            reason = f"is of a patient who was forgotten on {day}"
            findings.aside.append(Aside(name=item.name, state="refused", reason=reason, key=record.key))
            return
        findings.doubts += [Doubt(name=item.name, line=line) for line in record.doubts]
        closed = connection.execute(
            "SELECT patient, word, id FROM clips WHERE item = ? AND batch IS NOT NULL", (record.key,)
        ).fetchone()
        if closed is not None:
            self._compare(connection, item, record, closed, findings)
            self._archive.cache.discard(record.key)
            return
        frames, state, reason = self._settled(connection, item, record)
        findings.skipped += len(record.frames) - len(frames) if state != "quarantined" else 0
        self._write_item(connection, item, record, state, reason)
        if state == "taken":
            self._write_clip(connection, record, frames)
            self._looks.add(record.looks, record.patient)
            self._archive.cache.settle(record.key)
        else:
            self._archive.cache.discard(record.key)
            self._archive.cache.remove(record.key)
            if state != "duplicate":
                findings.aside.append(Aside(name=item.name, state=state, reason=reason, key=record.key))

    def _settled(self, connection: sqlite3.Connection, item: Item, record: Record) -> tuple[list[Frame], State, str]:
        """Frames that are new, and what becomes of the item beside those that are there already."""
        if record.state != "taken":
            return [], record.state, record.reason
        new = []
        for frame in record.frames:
            there = connection.execute(
                "SELECT patient, word FROM frames JOIN clips ON frames.clip = clips.id WHERE sha256 = ? AND item != ?",
                (frame.sha256, record.key),
            ).fetchone()
            if there is None:
                new.append(frame)
            elif there[0] != record.patient:
                return [], "quarantined", "is of one patient, but the same image is there of another"
            elif (word := self._archive.name(there[1])) != record.word:
                return [], "quarantined", f"is labelled '{record.word}', but the same image is there labelled '{word}'"
        if not new:
            return [], "duplicate", "is there already"
        if not self.cleared(record.key, item) and self._looks.another(record.looks, record.patient):
            return [], "quarantined", "looks the same as an image of another patient"
        return new, "taken", ""

    def _compare(
        self,
        connection: sqlite3.Connection,
        item: Item,
        record: Record,
        closed: tuple[str, bytes, int],
        findings: Findings,
    ) -> None:
        """An item whose batch is closed stays as it was; where it is not the same any more, that is told."""
        patient, word, clip = closed
        digests = {row[0] for row in connection.execute("SELECT sha256 FROM frames WHERE clip = ?", (clip,))}
        if record.state != "taken" or not digests <= {frame.sha256 for frame in record.frames}:
            reason = "has changed since it was taken in, and stays as it was"
        elif (patient, self._archive.name(word)) != (record.patient, record.word):
            reason = "is listed with another patient or label than when it was taken in, and stays as it was"
        else:
            findings.skipped += len(digests)
            self._write_item(connection, item, record, "taken", "")
            self._archive.cache.settle(record.key)
            return
        findings.aside.append(Aside(name=item.name, state="refused", reason=reason, key=record.key))

    def _write_item(
        self, connection: sqlite3.Connection, item: Item, record: Record, state: State, reason: str
    ) -> None:
        connection.execute("DELETE FROM clips WHERE item = ? AND batch IS NULL", (record.key,))
        stamp = "" if record.passing else stamp_of(item)
        values = (record.key, self._root, stamp, self._said(item, state), state)
        connection.execute(
            "INSERT INTO items (key, root, stamp, said, state, sealed, whose, cleared) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET root = excluded.root, stamp = excluded.stamp, said = excluded.said, "
            "state = excluded.state, sealed = excluded.sealed, whose = excluded.whose, cleared = excluded.cleared",
            (*values, self._sealed(item.name, reason), self._whose(item, record), self.cleared(record.key, item)),
        )

    def _whose(self, item: Item, record: Record) -> str:
        """Pseudonym, so that what was set aside of a patient can be found again; "" where nobody said."""
        if record.patient or not item.patient:
            return record.patient
        return pseudonym(self._archive.secret, "patient", item.patient)

    def _write_clip(self, connection: sqlite3.Connection, record: Record, frames: Sequence[Frame]) -> None:
        facts, seal = record.facts, self._archive.seal
        y, x = record.spacing_mm or (None, None)
        values = (record.key, record.patient, record.patient_known, record.clip, seal.close(record.word), record.fold)
        values += (record.machine, y, x, facts.rate_hz, facts.ejection_fraction)  # type: ignore[assignment]
        values += (facts.end_diastolic_ml, facts.end_systolic_ml, json.dumps(dict(facts.measures)))  # type: ignore[assignment]
        values += (json.dumps(dict(facts.words)), record.header, record.sector, record.quality, record.blanked)  # type: ignore[assignment]
        values += (self._source, record.looks, len(record.frames))  # type: ignore[assignment]
        marks = ", ".join("?" * len(values))
        clip = connection.execute(f"INSERT INTO clips ({CLIP}) VALUES ({marks})", values).lastrowid  # noqa: S608
        connection.executemany(
            "INSERT INTO frames VALUES (?, ?, ?, ?, ?)",
            [(clip, frame.number, frame.place, frame.sha256, frame.phase) for frame in frames],
        )

    def _said(self, item: Item, state: State) -> str:
        """What the listing says of an item, as a key without meaning; another rule may take in what was set aside."""
        rule = () if state == "taken" else (self._pixels,)
        said = (item.patient, item.clip, item.label, str(item.fold), repr(item.known))
        return self._archive.seal.key("said", *said, *rule)

    def _sealed(self, name: str, reason: str) -> bytes:
        return self._archive.seal.close(json.dumps({"name": name, "reason": reason}))


def _known(row: tuple[str, State, str, str, int, bytes, int]) -> Known:
    root, state, stamp, said, cleared, sealed, images = row
    return Known(root, state, stamp, said, bool(cleared), sealed, images)


def stamp_of(item: Item) -> str:
    """Digest of sizes and times of change of an item's files; permissions count, since they may mend a refusal."""
    found = []
    for path in (item.path, *item.companions):
        try:
            status = path.stat()
            found.append(f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}")
        except OSError:
            found.append("none")
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:32]
