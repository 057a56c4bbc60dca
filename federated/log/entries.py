"""What is written into the log: in-toto statements, each signed by whoever keeps the log.

A log cannot forget, so that an entry says no more of a thing than its digest, and what kind of thing it is. No text
that somebody wrote stands in it: no reason, no name of a batch, no name of a person. Where a hospital signed what
happened, as with every parcel of its own, its envelope is part of the entry, so that nobody else can have made it up.
"""

from __future__ import annotations

from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, StringConstraints

from federated.canonical import canonical, digest
from federated.contract import Count, Digest, Frozen, Name
from federated.errors import ContractError
from federated.keys import PublicHex, Role
from federated.log.tiles import MAX_ENTRY_BYTES
from federated.statements import Statement, read_statement, sign_statement

PREDICATE_TYPE = "urn:consilium:entry:v1"
WHERE = "log entry"
Event = Literal[
    "init",  # the federation began
    "invite",
    "enrol",
    "rotate",
    "revoke",
    "accepted",  # a parcel was taken in
    "refused",  # a parcel was out of order, superseded or withdrawn
    "quarantined",  # bytes were not what they should be
    "withdraw",
    "vocabulary",
    "candidate",
    "release",
    "roll back",
    "recall",
    "average",
    "average stopped",
]


class KeyCard(Frozen):
    """A key that counts from here on."""

    public: PublicHex
    role: Role


class Entry(Frozen):
    """One thing that happened.

    Attributes:
        federation: where.
        at: UTC, as whoever keeps the log says; witnesses say when they saw it.
        event: what happened.
        site: whose, or to whom.
        kind: of a parcel.
        subject: what it is about: digest of a manifest, or of bytes that were quarantined.
        concerns: digest of what the subject answers or takes the place of: the candidate of a report, the release of an
            adoption, the recall of a release.
        number: of a release.
        choice: of an adoption.
        keys: that count from here on.
        ended: keys that count no more.
        envelope: the hospital's own, canonical JSON.
    """

    version: Literal[1] = 1
    federation: Name
    at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    event: Event
    site: Name | None = None
    kind: Name | None = None
    subject: Digest | None = None
    concerns: Digest | None = None
    number: Count | None = None
    choice: Literal["adopted", "pinned", "refused"] | None = None
    keys: tuple[KeyCard, ...] = Field(default=(), max_length=64)
    ended: tuple[PublicHex, ...] = Field(default=(), max_length=64)
    envelope: Annotated[str, StringConstraints(max_length=MAX_ENTRY_BYTES // 2)] | None = None


def sign_entry(entry: Entry, key: Ed25519PrivateKey) -> bytes:
    """The entry's bytes, of which the log keeps the hash.

    Raises:
        ContractError: it is too long to be logged.
    """
    data = sign_statement(entry.event, _about(entry), PREDICATE_TYPE, entry, [key])
    if len(data) > MAX_ENTRY_BYTES:
        raise ContractError(f"{len(data)} bytes, at most {MAX_ENTRY_BYTES} are logged", where=WHERE)
    return data


def read_entry(data: bytes) -> Statement[Entry]:
    """An entry, with nothing verified but its form; whose signatures it bears is asked elsewhere.

    Raises:
        ContractError: it is none, or its statement is about something else than it says.
    """
    found = read_statement(data, PREDICATE_TYPE, Entry, where=WHERE)
    if (found.name, found.digest) != (found.predicate.event, _about(found.predicate)):
        raise ContractError("is a statement about something else than it says", where=WHERE)
    return found


def _about(entry: Entry) -> str:
    """What has no digest of its own is named by that of what is said."""
    return entry.subject or digest(canonical(entry.model_dump(mode="json")))
