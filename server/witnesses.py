"""The sites as witnesses of the log: what each is asked to sign, and what becomes of its answer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from federated.errors import ConsiliumError
from federated.log.checkpoints import witness_name
from federated.log.entries import read_entry
from federated.log.journal import Journal
from federated.log.notes import COSIGNATURE, Note, NoteKey, parse_note
from federated.log.told import tell
from federated.log.verification import SLACK_SECONDS
from federated.log.witness import Request, cosigners, parse_have
from server.home import CoordinatorHome
from server.log import open_log
from server.registry import KeyRow, WitnessRow

MOST_TOLD = 1000  # entries in one message


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
        keys = witness_keys(session, home, site)
        own = {(key.name, key.key_id) for key in keys}
        signed = Note(note.text, tuple(line for line in note.lines if (line.name, line.key_id) in own))
        times = cosigners(signed, keys).values()
        if not times or any(abs(seconds - time.time()) > SLACK_SECONDS for seconds in times):
            return False
        journal.cosigned(signed)
    except ConsiliumError:
        return False  # no signature of this site under this checkpoint, whatever else it is
    session.merge(WitnessRow(site=site, size=journal.size))
    return True


def witness_keys(session: Session, home: CoordinatorHome, site: str) -> Sequence[NoteKey]:
    """Keys of a site that count, as a witness'."""
    own = (KeyRow.role == "site") & (KeyRow.name == site) & KeyRow.revoked.is_(False)
    name = witness_name(home.config.federation, site)
    public = session.scalars(select(KeyRow.public).where(own))
    return [NoteKey(name, bytes.fromhex(each), COSIGNATURE) for each in public]


def _told(journal: Journal, site: str, old: int) -> Iterator[bytes]:
    """The newest, where there are more than go into one message."""
    own = deque[tuple[int, bytes]](maxlen=MOST_TOLD)
    for number, data in enumerate(journal.entries(old), old):
        entry = read_entry(data).predicate
        if entry.site == site and (entry.envelope is not None or entry.event == "rotate"):
            own.append((number, data))
    return (tell(journal, number, data).to_bytes() for number, data in own)


def _seen(session: Session, site: str) -> int:
    row = session.get(WitnessRow, site)
    return row.size if row is not None else 0
