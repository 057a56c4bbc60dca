"""The site as a witness of the coordinator's log: it signs what goes on from what it saw, and nothing else."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from federated.errors import SignatureError
from federated.log.checkpoints import origin_of, witness_name
from federated.log.notes import ED25519, NoteKey
from federated.log.witness import OtherSizeError, Witness, have

if TYPE_CHECKING:
    from site_agent.home import SiteHome

log = logging.getLogger(__name__)


def witness(home: SiteHome, data: bytes) -> bytes:
    """A request of the coordinator answered: the checkpoint cosigned, or how many entries this site has seen.

    Raises:
        ForkError: the coordinator has signed two histories; both are kept.
        ConsiliumError: it is no request, or the log is not shown to go on from what this site has seen.
    """
    with home.lock():
        own, name = witness_of(home), witness_name(home.config.federation, home.config.site)
        try:
            note = own.cosign(data, name, home.key(), int(time.time()))
        except OtherSizeError as error:
            return have(error.size)
    log.info("the coordinator's log was witnessed: %d entries", own.size)
    return note.to_bytes()


def witness_of(home: SiteHome) -> Witness:
    """What this site has seen of the coordinator's log.

    Raises:
        SignatureError: no key of the coordinator counts.
    """
    found = home.trust().find(role="coordinator", name=home.config.coordinator)
    if not found:
        raise SignatureError("no key of the coordinator counts", where=home.config.coordinator)
    key = NoteKey(origin_of(home.config.federation), bytes.fromhex(found[-1].public), ED25519)
    return Witness(home.path / "log", key)
