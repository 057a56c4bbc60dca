"""The site as a witness of the coordinator's log: it signs what goes on from what it saw, and nothing else.

With a checkpoint come the log's entries about parcels of this site, each with the proof that it is in that checkpoint's
tree. They are kept, so that the hospital can show for everything that it sent that the coordinator has told of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.files import write_whole
from federated.log.checkpoints import Checkpoint, origin_of, witness_name
from federated.log.notes import COSIGNATURE, ED25519, Note, NoteKey, cosign, cosigned_at
from federated.log.request_file import WHERE, parse_request_file
from federated.log.told import read_told
from federated.log.witness import FORK, UNPROVED, OtherSizeError, Witness, have, parse_have
from site_agent.rotation import note_taken, resume

if TYPE_CHECKING:
    from site_agent.home import SiteHome

LOG = "log"
log = logging.getLogger(__name__)


def witness(home: SiteHome, data: bytes, told: Sequence[bytes] = ()) -> bytes:
    """A request of the coordinator answered: the checkpoint cosigned, or how many entries this site has seen.

    Args:
        home: the site's.
        data: a `Request`.
        told: entries about parcels and keys of this site (`Told`); one that is wrong is not kept, and said.

    Raises:
        ForkError: the coordinator has signed two histories; both are kept.
        ConsiliumError: it is no request, or the log is not shown to go on from what this site has seen.
    """
    with home.lock():
        own, name = witness_of(home), witness_name(home.config.federation, home.config.site)
        try:
            note = own.cosign(data, name, home.key(), int(time.time()), partial(_keep, home, told))
        except OtherSizeError as error:
            return have(error.size)
        if resume(home):  # the coordinator counts the new key only
            note = cosign(note, name, home.key(), int(time.time()))
    log.info("the coordinator's log was witnessed: %d entries", own.size)
    return note.to_bytes()


def witness_by_file(home: SiteHome, data: bytes) -> int:
    """A request that came as a file answered: how many entries this site has witnessed now.

    The answer is what `signed_file` gives from then on.

    Raises:
        ForkError: the coordinator has signed two histories; both are kept.
        ConsiliumError: it is no request to this site, or the log is not shown to go on from what this site has seen.
    """
    asked = parse_request_file(data)
    if asked.site != home.config.site:
        raise ContractError(f"is for the site '{asked.site}'", where=WHERE, cure="take the folder of this site's name")
    size = parse_have(witness(home, asked.request.encode(), [each.encode() for each in asked.told]))
    if size is not None:
        what = f"starts from another checkpoint than the last seen here, of {size} entries"
        raise ContractError(what, where=WHERE, cure="send the coordinator what this writes: consilium site export")
    return witness_of(home).size


def signed_file(home: SiteHome) -> bytes | None:
    """The last checkpoint that this site signed, under the key that counts now; None before the first.

    Raises:
        ConsiliumError: it is damaged, or a key cannot be read.
    """
    seen = witness_of(home).seen
    if seen is None:
        return None
    key, name = home.key(), witness_name(home.config.federation, home.config.site)
    own = NoteKey(name, key.public_key().public_bytes_raw(), COSIGNATURE)
    return (seen if cosigned_at(seen, own) is not None else cosign(seen, name, key, int(time.time()))).to_bytes()


def witness_of(home: SiteHome) -> Witness:
    """What this site has seen of the coordinator's log.

    Raises:
        SignatureError: no key of the coordinator counts.
    """
    return Witness(home.path / LOG, log_key(home))


def unsigned(home: SiteHome) -> list[Path]:
    """Checkpoints that the coordinator signed and this site would not, each in a file."""
    folder = home.path / LOG
    return sorted(path for why in (FORK, UNPROVED) for path in folder.glob(f"{why}-*"))


def log_key(home: SiteHome) -> NoteKey:
    """Under which the coordinator signs its log.

    Raises:
        SignatureError: no key of the coordinator counts.
    """
    found = home.trust().find(role="coordinator", name=home.config.coordinator)
    if not found:
        raise SignatureError("no key of the coordinator counts", where=home.config.coordinator)
    return NoteKey(origin_of(home.config.federation), bytes.fromhex(found[-1].public), ED25519)


def told_path(home: SiteHome, digest: str) -> Path:
    """Where the entry about something is kept."""
    return home.path / LOG / "told" / f"{digest.removeprefix('sha256:')}.json"


def checkpoint_path(home: SiteHome, size: int) -> Path:
    """Where the checkpoint of so many entries is kept."""
    return home.path / LOG / "checkpoints" / str(size)


def _keep(home: SiteHome, told: Sequence[bytes], checkpoint: Checkpoint, note: Note) -> None:
    """Entries by the digest of what they tell of, and the checkpoint in whose tree they hang."""
    kept = 0
    for data in told:
        try:
            _, entry = read_told(data, checkpoint)
        except ConsiliumError as error:
            log.warning("the coordinator told of something that its log does not hold: %s", error)
            continue
        if entry.event == "rotate" and entry.site == home.config.site:
            note_taken(home, entry.keys[0].public)
        if entry.site == home.config.site and entry.subject is not None and entry.envelope is not None:
            path = told_path(home, entry.subject)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, data)
                kept += 1
    if kept:
        path = checkpoint_path(home, checkpoint.size)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, note.to_bytes())
