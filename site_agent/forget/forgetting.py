"""Forgetting a patient: at once everything that lies here, and what is said of what lies elsewhere.

What remains is a token, one way and keyed with the site's secret: in the catalogue, so that the patient is not taken in
again, and in the ledger in the place of the pseudonym, so that the difference rule still knows which sums held the same
patient. The order of steps is such that a kill between any two is made good by the next command.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from federated.errors import ConsiliumError
from federated.manifest import Frozen, ReportManifest, UpdateManifest
from site_agent.decisions.book import decided_on, decisions_on, forget_decisions
from site_agent.egress import Gate
from site_agent.features import erase_vectors
from site_agent.forget import renewal
from site_agent.intake.examination import file_digest
from site_agent.ledger import drafts, drop_draft, facts_by_digest, names_in, rename_patient, sent, transaction
from site_agent.local_experts import drop, learnt_from
from site_agent.mailbox import Inbox, Outbox
from site_agent.sealing import pseudonym, token
from site_agent.steps import keep_only

if TYPE_CHECKING:
    from site_agent.home import SiteHome

PREFIX = re.compile(r"[0-9a-f]{12,64}")
KNOWN = "SELECT pseudonym FROM patients UNION SELECT patient FROM clips UNION SELECT whose FROM items"
ITEMS = "SELECT key FROM items WHERE whose = ? UNION SELECT item FROM clips WHERE patient = ?"
BATCHES = "SELECT DISTINCT batch FROM clips WHERE patient = ? AND batch IS NOT NULL ORDER BY batch"
DIGESTS = "SELECT DISTINCT sha256 FROM frames JOIN clips ON frames.clip = clips.id WHERE patient = ?"


UPDATES = "; these and the averages that they entered cannot be unsent"


class Forgetting(Frozen):
    """What forgetting a patient takes away, and what it does not.

    Attributes:
        patient: the beginning of the pseudonym.
        day: when it was, or would be, forgotten.
        done: whether anything was changed.
        items, clips, images: of the catalogue, with their working images.
        drafts: kinds of the drafts that waited and held the patient.
        experts: how many of the site's own experts on still images learnt from a batch that held the patient.
        decisions: how many records of the decision log had the patient's answer beside them.
        sums: what left and holds the patient still, and until when.
        updates: how many updates of averaged models that left were trained on the patient.
        opened: how many decisions that left hold features of the patient.
        reports: how many reports that left counted the patient.
        next_report: until when the next report is held back, or nothing.
    """

    patient: str
    day: str
    done: bool
    items: int
    clips: int
    images: int
    drafts: tuple[str, ...]
    experts: int
    decisions: int
    sums: tuple[str, ...]
    updates: int
    opened: int
    reports: int
    next_report: str

    def lines(self) -> list[str]:
        """For a person to read."""
        did = "removed here" if self.done else "would be removed here"
        waited = f"; drafts that waited: {', '.join(self.drafts)}" if self.drafts else ""
        return [
            f"patient {self.patient}, {'forgotten' if self.done else 'would be forgotten'} on {self.day}",
            f"{did}: {self.images} images in {self.clips} files, {self.items} names, their features{waited}",
            *(
                (f"{did}: {self.experts} experts that learnt from the patient; train them anew",)
                if self.experts
                else ()
            ),
            *((f"{did}: answers and features of {self.decisions} decisions",) if self.decisions else ()),
            "kept here: a keyed token, by which the patient is not taken in again, and in the ledger of what left",
            *(f"the patient {line}" for line in self.sums),
            *(() if self.sums else ("no sums that left hold the patient",)),
            *((f"{self.updates} updates that left were trained on this patient{UPDATES}",) if self.updates else ()),
            *(
                (f"{self.opened} decisions that left hold features of this patient; they cannot be unsent",)
                if self.opened
                else ()
            ),
            *self._reports(),
            *(("releases that others hold were computed from these sums; they cannot be unsent",) if self.sums else ()),
            "copies outside this folder stay: the hospital's own files, backups, predictions, pages of status",
        ]

    def _reports(self) -> list[str]:
        if not self.reports:
            return []
        held = f"; the next report waits until {self.next_report}" if self.next_report else ""
        return [f"{self.reports} reports that left counted this patient and cannot be unsent{held}"]


@dataclass(frozen=True)
class Traces:
    """Where a patient is found here: keys of items, digests of images, how many clips, and of which batches."""

    items: Sequence[str]
    digests: Sequence[str]
    clips: int
    batches: Sequence[str]


def find_patient(home: SiteHome, word: str) -> str:
    """The pseudonym that a person means.

    Args:
        home: the site's.
        word: the hospital's own number; for images that name no patient the clip, or the file; or the first digits of a
            pseudonym.

    Raises:
        ConsiliumError: nobody here, or several.
    """
    known = {row[0] for row in home.archive.catalogue.rows(KNOWN)} | decided_on(home)
    known -= {""}
    forgotten = home.archive.catalogue.forgotten()
    for own in _own_names(home.secret(), word):
        if own in known or token(home.secret(), own) in forgotten:
            return own
    if PREFIX.fullmatch(word):
        found = [name for name in known if name.startswith(word)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConsiliumError("several patients are named so", where=word, cure="give more digits")
        if len(word) == len(own) and token(home.secret(), word) in forgotten:
            return word
    raise ConsiliumError(
        "no patient here is named so", where=word, cure="give the hospital's own number, or 12 digits of a pseudonym"
    )


def _own_names(secret: bytes, word: str) -> list[str]:
    """Pseudonyms that a hospital's own word may stand for."""
    names = [pseudonym(secret, kind, word) for kind in ("patient", "clip")]
    return [*names, pseudonym(secret, "file", file_digest(Path(word)))] if Path(word).is_file() else names


def forget(home: SiteHome, patient: str, *, dry_run: bool = False) -> Forgetting:
    """Removes everything of a patient, or says what would be removed. Again is no work.

    Args:
        home: the site's, held.
        patient: the pseudonym.
        dry_run: changes nothing.
    """
    Gate(home)  # finishes what a killed command has begun to send
    mark = token(home.secret(), patient)
    day = home.archive.catalogue.forgotten().get(mark) or datetime.now(UTC).date().isoformat()
    traces, waiting = _traces(home, patient), _waiting(home, patient)
    experts, decided = learnt_from(home, traces.batches), decisions_on(home, patient)
    if not dry_run:
        _remove(home, patient, day)
    names = frozenset({patient, mark})
    with transaction(home.state_path) as connection:
        left = facts_by_digest(connection, withdrawn=False)
    holding = {digest: facts for digest, facts in left.items() if names & names_in(facts)}
    reports = [facts for facts in holding.values() if facts.kind == "report"]
    sums = renewal.when(home, names if dry_run else frozenset())
    return Forgetting(
        patient=patient[:12],
        day=day,
        done=not dry_run,
        items=len(traces.items),
        clips=traces.clips,
        images=len(traces.digests),
        drafts=tuple(waiting.values()),
        experts=len(experts),
        decisions=decided,
        sums=tuple(line for digest, line in sums.items() if digest in holding),
        updates=sum(facts.kind == "update" for facts in holding.values()),
        opened=sum(facts.kind == "decision" for facts in holding.values()),
        reports=len(reports),
        next_report=renewal.next_report(home, reports[-1], names) if reports else "",
    )


def finish(home: SiteHome) -> None:
    """Makes good what a killed `forget` left: nobody who was forgotten is here any more."""
    secret, forgotten = home.secret(), home.archive.catalogue.forgotten()
    if not forgotten:
        return
    _discard_opened(home, frozenset(forgotten))
    for (patient,) in home.archive.catalogue.rows(KNOWN):
        day = forgotten.get(token(secret, patient))
        if day is not None:
            _remove(home, patient, day)


def _traces(home: SiteHome, patient: str) -> Traces:
    rows = home.archive.catalogue.rows
    return Traces(
        [row[0] for row in rows(ITEMS, (patient, patient))],
        [row[0] for row in rows(DIGESTS, (patient,))],
        rows("SELECT count(*) FROM clips WHERE patient = ?", (patient,))[0][0],
        [row[0] for row in rows(BATCHES, (patient,))],
    )


def _waiting(home: SiteHome, patient: str) -> dict[str, str]:
    """Drafts that hold the patient and wait for an approver or were rejected: digest -> kind."""
    with transaction(home.state_path) as connection:
        return {draft.digest: draft.kind for draft in drafts(connection) if patient in names_in(draft.facts)}


def _remove(home: SiteHome, patient: str, day: str) -> None:
    """Answers first, which nothing else tells of; the token; and the rows last, which say what is to be removed."""
    archive, traces, secret = home.archive, _traces(home, patient), home.secret()
    forget_decisions(home, patient)
    with archive.catalogue.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO forgotten VALUES (?, ?)", (token(secret, patient), day))
    renewal.tidy(home)
    _discard_opened(home, frozenset({patient}))
    _remove_drafts(home, patient)
    with transaction(home.state_path) as connection:
        rename_patient(connection, patient, partial(token, secret))
    erase_vectors(home.features_path, traces.digests)
    for path in learnt_from(home, traces.batches):
        drop(path)
    others = {row[0] for row in archive.catalogue.rows("SELECT item FROM clips")} - set(traces.items)
    archive.cache.sweep(others)  # of what a stopped ingest has half written nobody can say whose it is
    with archive.catalogue.transaction() as connection:
        for statement, values in (
            (f"DELETE FROM items WHERE key IN ({ITEMS})", (patient, patient)),  # noqa: S608
            ("DELETE FROM patients WHERE pseudonym = ?", (patient,)),
        ):
            connection.execute(statement, values)
    for path in (home.catalogue_path, home.state_path):
        _write_anew(path)


def _discard_opened(home: SiteHome, names: frozenset[str]) -> None:
    """Copies of opened decisions that the coordinator has."""
    with transaction(home.state_path) as connection:
        left = facts_by_digest(connection, withdrawn=False)
    for digest, facts in left.items():
        if facts.kind == "decision" and names & names_in(facts):
            Outbox(home).discard(digest)


def _remove_drafts(home: SiteHome, patient: str) -> None:
    """A draft that waited is gone, and is drafted anew for what it was for; where one was rejected, that stays."""
    waiting = _waiting(home, patient)
    for pending in Gate(home).pending():
        manifest = Gate(home).draft(pending.digest).manifest if pending.digest in waiting else None
        if isinstance(manifest, ReportManifest):
            Inbox(home).again(manifest.candidate)
        if isinstance(manifest, UpdateManifest):
            Inbox(home).again(manifest.average)
    with transaction(home.state_path) as connection:
        for draft in drafts(connection):
            if draft.digest in waiting and not draft.rejected_by:
                drop_draft(connection, draft.digest)
        known = {draft.digest for draft in drafts(connection)} | {row.digest for row in sent(connection)}
    for digest in waiting:
        (home.pending / f"{digest.removeprefix('sha256:')}.draft").unlink(missing_ok=True)
    keep_only(home, known)


def _write_anew(path: Path) -> None:
    """The database without the pages and gaps in which deleted rows may still be read."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("VACUUM")
    except sqlite3.Error as error:
        raise ConsiliumError(
            f"cannot be written anew ({error}), so that deleted rows may still be read in it",
            where=str(path),
            cure="make room on the disk, then forget the patient again",
        ) from error
