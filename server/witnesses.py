"""The sites as witnesses of the log: what each is asked to sign, and what becomes of its answer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.log.checkpoints import origin_of, read_checkpoint, witness_name
from federated.log.entries import read_entry
from federated.log.journal import Journal
from federated.log.notes import COSIGNATURE, ED25519, Line, Note, NoteKey, is_signed, parse_note
from federated.log.request_file import MAX_TOLD
from federated.log.told import tell
from federated.log.verification import SLACK_SECONDS
from federated.log.witness import Request, cosigners, parse_have
from federated.release_status import parse_time
from server.home import CoordinatorHome
from server.log import open_log
from server.registry import KeyRow, WitnessRow

WHERE = "checkpoint that a site signed"


def requests(session: Session, home: CoordinatorHome, sites: Iterable[str]) -> dict[str, list[bytes]]:
    """For each site that has not signed the newest checkpoint, what it is asked and told.

    First that checkpoint with a proof from what the site saw last; then each entry since that is about a parcel of its
    own, or a new key, with its proof.
    """
    journal = open_log(home)
    if journal.note is None:
        return {}
    found = {}
    for site in sites:
        if not cosigners(journal.note, witness_keys(session, home, site)):
            old = min(_seen(session, site), journal.size)
            request = Request(old, tuple(journal.consistency(old)), journal.note)
            found[site] = [request.to_bytes(), *_told(journal, site, old)]
    return found


def take(session: Session, home: CoordinatorHome, site: str, answer: bytes) -> bool:
    """Keeps a site's signature under the newest checkpoint, or from where it wants its proof; whether it signed.

    One from another day is not kept: auditors hold the times of entries against those of witnesses.
    """
    journal = open_log(home)
    have = parse_have(answer)
    if have is not None:
        session.merge(WitnessRow(site=site, size=min(have, journal.size)))
        return False
    try:
        note = parse_note(answer)
        if journal.note is None or note.text != journal.note.text:
            return False
        journal.cosigned(_cosigned(note, witness_keys(session, home, site), time.time()))
    except ConsiliumError:
        return False  # no signature of this site under this checkpoint, whatever else it is
    session.merge(WitnessRow(site=site, size=journal.size))
    return True


@dataclass(frozen=True)
class Signed:
    """A checkpoint that a site signed and sent as a file.

    Attributes:
        site: which.
        size: entries that it has seen.
        kept: whether it counts; the next request starts from it in any case.
    """

    site: str
    size: int
    kept: bool


def take_file(session: Session, home: CoordinatorHome, data: bytes) -> Signed:
    """Keeps a site's signature that came as a file, however long that took, unless others have signed more since.

    Raises:
        ConsiliumError: it is no checkpoint of this log that a site has signed.
    """
    journal, note = open_log(home), parse_note(data)
    site = _signer(session, home, note)
    checkpoint, log_key = read_checkpoint(note, journal.origin), _log_key(home)
    if not 0 < checkpoint.size <= journal.size:
        what = f"{site} has seen {checkpoint.size} entries of this log, which has {journal.size}"
        raise ContractError(what, where=WHERE, cure="restore the newest backup of this home")
    if not is_signed(note, log_key):
        raise SignatureError("is not signed by the coordinator", where=WHERE)
    session.merge(WitnessRow(site=site, size=checkpoint.size))
    seen = journal.witnessed
    if seen is not None and checkpoint.size < read_checkpoint(seen, journal.origin).size:
        return Signed(site, checkpoint.size, kept=False)
    (last,) = journal.entries(checkpoint.size - 1, checkpoint.size)
    logged = parse_time(read_entry(last).predicate.at).timestamp()
    signed = _cosigned(note, witness_keys(session, home, site), logged)
    journal.cosigned(Note(note.text, (*_lines_of(note, [log_key]), *signed.lines)))
    return Signed(site, checkpoint.size, kept=True)


def _cosigned(note: Note, keys: Sequence[NoteKey], earliest: float) -> Note:
    """A checkpoint with the signatures by these keys and no others.

    Raises:
        SignatureError: there is none, one does not verify, or is of another time.
    """
    signed = Note(note.text, _lines_of(note, keys))
    times = cosigners(signed, keys).values()
    if not times or not all(earliest - SLACK_SECONDS <= each <= time.time() + SLACK_SECONDS for each in times):
        raise SignatureError("is not signed by this site, or at another time", where=WHERE)
    return signed


def _lines_of(note: Note, keys: Sequence[NoteKey]) -> tuple[Line, ...]:
    own = {(key.name, key.key_id) for key in keys}
    return tuple(line for line in note.lines if (line.name, line.key_id) in own)


def _signer(session: Session, home: CoordinatorHome, note: Note) -> str:
    prefix = witness_name(home.config.federation, "")
    for line in note.lines:
        site = line.name.removeprefix(prefix)
        if line.name != site and line.key_id in {key.key_id for key in witness_keys(session, home, site)}:
            return site
    raise SignatureError("is signed by no site whose key counts", where=WHERE)


def _log_key(home: CoordinatorHome) -> NoteKey:
    return NoteKey(origin_of(home.config.federation), home.key().public_key().public_bytes_raw(), ED25519)


def witness_keys(session: Session, home: CoordinatorHome, site: str) -> Sequence[NoteKey]:
    """Keys of a site that count, as a witness'."""
    own = (KeyRow.role == "site") & (KeyRow.name == site) & KeyRow.revoked.is_(False)
    name = witness_name(home.config.federation, site)
    public = session.scalars(select(KeyRow.public).where(own))
    return [NoteKey(name, bytes.fromhex(each), COSIGNATURE) for each in public]


def _told(journal: Journal, site: str, old: int) -> Iterator[bytes]:
    """The newest, where there are more than go into one message."""
    own = deque[tuple[int, bytes]](maxlen=MAX_TOLD)
    for number, data in enumerate(journal.entries(old), old):
        entry = read_entry(data).predicate
        if entry.site == site and (entry.envelope is not None or entry.event == "rotate"):
            own.append((number, data))
    return (tell(journal, number, data).to_bytes() for number, data in own)


def _seen(session: Session, site: str) -> int:
    row = session.get(WitnessRow, site)
    return row.size if row is not None else 0
