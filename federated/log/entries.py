"""What is written into the log: in-toto statements, each signed by whoever keeps the log.

A log cannot forget, so that an entry says no more of a thing than its digest, and what kind of thing it is. No text
that somebody wrote stands in it: no reason, no name of a batch, no name of a person. Where a hospital signed what
happened, as with every parcel of its own, its envelope is part of the entry, so that nobody else can have made it up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, StringConstraints, ValidationError, model_validator

from federated.approval import MAX_APPROVALS, Envelope
from federated.canonical import canonical, digest
from federated.contract import Count, Digest, Frozen, Name, is_empty
from federated.envelope import MAX_ENVELOPE_BYTES
from federated.errors import ContractError
from federated.faults import first_fault
from federated.keys import PublicHex, Role
from federated.log.tiles import MAX_ENTRY_BYTES
from federated.statements import Statement, read_statement, sign_statement

PREDICATE_TYPE = "urn:consilium:entry:v1"
WHERE = "log entry"
TIME = r"^2\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$"
Event = Literal[
    "init",  # the federation began
    "invite",
    "enrol",
    "rotate",
    "revoke",
    "accepted",  # a parcel was taken in
    "rejected",  # a parcel with a right envelope and a wrong content, which used its number up
    "dropped",  # a parcel that was taken in does not count any more
    "quarantined",  # bytes were no parcel of anybody who is known; named by the digest of a mark and the bytes
    "withdraw",
    "vocabulary",
    "candidate",
    "release",
    "roll back",
    "recall",
    "average",
    "average stopped",
    "approver",  # somebody may approve releases
    "approver ended",
    "plan",  # from here on releases are made under this change plan
]


SAYS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    event: (frozenset(must.split()), frozenset(may.split()))
    for event, must, may in (
        ("init", "keys", ""),
        ("invite", "site", ""),
        ("enrol", "site keys", ""),
        ("rotate", "site keys ended", ""),
        ("revoke", "site ended", ""),
        ("accepted", "site kind subject envelope", "concerns choice"),
        ("rejected", "site kind subject envelope", "concerns"),
        ("dropped", "site kind subject", ""),
        ("quarantined", "subject", ""),
        ("withdraw", "site kind subject", ""),
        ("vocabulary", "subject", ""),
        ("candidate", "subject number", ""),
        ("release", "subject number concerns", "plan approvals"),
        ("roll back", "subject number concerns", ""),
        ("recall", "subject number concerns", ""),
        ("average", "subject", ""),
        ("average stopped", "subject", ""),
        ("approver", "keys", ""),
        ("approver ended", "ended", ""),
        ("plan", "subject", ""),
    )
}
"""Of each event what its entry has to say, and what it may, beside federation and time."""


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
        plan: digest of the change plan that a release was made under.
        approvals: of a release, as the approvers signed them, canonical JSON.
    """

    version: Literal[1] = 1
    federation: Name
    at: Annotated[str, StringConstraints(pattern=TIME)]
    event: Event
    site: Name | None = None
    kind: Name | None = None
    subject: Digest | None = None
    concerns: Digest | None = None
    number: Count | None = None
    choice: Literal["adopted", "pinned", "refused"] | None = None
    keys: tuple[KeyCard, ...] = Field(default=(), max_length=64)
    ended: tuple[PublicHex, ...] = Field(default=(), max_length=64)
    envelope: Annotated[str, StringConstraints(max_length=MAX_ENVELOPE_BYTES)] | None = None
    plan: Digest | None = Field(default=None, exclude_if=lambda plan: plan is None)
    approvals: tuple[Envelope, ...] = Field(default=(), max_length=MAX_APPROVALS, exclude_if=is_empty)

    @model_validator(mode="after")
    def _says_what_its_event_says(self) -> Entry:
        must, may = SAYS[self.event]
        said = {name for name in FACTS if getattr(self, name) not in (None, ())}
        if not must <= said <= must | may:
            wrong = min((must - said) | (said - must - may))
            raise ValueError(f"an entry of '{self.event}' {'lacks' if wrong in must else 'has no'} {wrong}")
        return self


FACTS = set(Entry.model_fields) - {"version", "federation", "at", "event"}


def checked(facts: Mapping[str, Any], federation: str) -> Entry:
    """An entry of what is to be logged.

    Raises:
        ContractError: it is not what an entry of its event says.
    """
    try:
        return Entry.model_validate_json(json.dumps({"federation": federation, **facts}))
    except ValidationError as error:
        raise ContractError(first_fault(error), where=WHERE) from error


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
