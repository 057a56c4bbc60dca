"""Parcels: a manifest and its tensors under a signed envelope (DSSE over an in-toto statement, with sequence rules).

A parcel is one file or one byte string: a magic line, three lengths, then envelope, manifest and tensors. It travels
through Flower or on a stick; both routes carry the same bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from federated.canonical import digest
from federated.errors import ContractError, SequenceError, SignatureError
from federated.keys import Party, TrustFile
from federated.manifest import (
    COORDINATOR_KINDS,
    SITE_KINDS,
    Digest,
    Manifest,
    Name,
    Tensors,
    manifest_bytes,
    parse_manifest,
    unpack_tensors,
)
from federated.shapes import check_shapes
from federated.signing import parse_document, verified_by
from federated.statements import read_statement, sign_statement

MAGIC = b"consilium parcel 1\n"
LENGTHS = struct.Struct(">QQQ")
PREDICATE_TYPE = "urn:consilium:passage:v1"
EVERYONE = "federation"
MAX_ENVELOPE_BYTES = 2**14  # it goes into the log whole
MAX_FILTERS = 32
FILTER = r"^[a-z][a-z0-9_]{0,31}$"
FOUND = r"(none smaller|no matrix|[0-9.e+/=-]{1,40})"
VERDICT = rf"^{FOUND} <= {FOUND}$"
MAX_PARCEL_BYTES = 520 * 2**20


class Passage(BaseModel):
    """What the sender signs about a manifest: from whom, to whom, in which order, and under which rule it left.

    `previous` is the digest at `sequence` - 1 in the same direction (None at 1); `filters` holds each disclosure
    filter's name with its limit and what was found, for example ``{"batch": "5 <= 12"}``, and nothing else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    federation: Name
    sender: Name
    recipient: Name
    sequence: Annotated[int, Field(ge=1, le=2**31)]
    previous: Digest | None
    kind: Name
    policy: Digest | None
    filters: Annotated[
        dict[Annotated[str, StringConstraints(pattern=FILTER)], Annotated[str, StringConstraints(pattern=VERDICT)]],
        Field(max_length=MAX_FILTERS),
    ]
    approval: Literal["none", "standing", "each"]
    issued: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


@dataclass(frozen=True)
class Parcel:
    """Bytes of an envelope, of a manifest and of its tensors."""

    envelope: bytes
    manifest: bytes
    tensors: bytes

    @property
    def digest(self) -> str:
        """Digest of the manifest, which names the tensors' digest."""
        return digest(self.manifest)

    def to_bytes(self) -> bytes:
        """The parcel as one byte string."""
        lengths = LENGTHS.pack(len(self.envelope), len(self.manifest), len(self.tensors))
        return MAGIC + lengths + self.envelope + self.manifest + self.tensors


@dataclass(frozen=True)
class Opened:
    """A parcel whose signature, address and contents were checked. `signers` are the key ids that verified."""

    passage: Passage
    manifest: Any
    tensors: Tensors
    digest: str
    signers: frozenset[str]


def parse_parcel(data: bytes) -> Parcel:
    """The three parts of a parcel.

    Raises:
        ContractError: not a parcel, or cut short, or longer than it says.
    """
    head = len(MAGIC) + LENGTHS.size
    if len(data) > MAX_PARCEL_BYTES:
        raise ContractError(f"{len(data)} bytes, at most {MAX_PARCEL_BYTES} are taken", where="parcel")
    if len(data) < head or not data.startswith(MAGIC):
        raise ContractError("is not a Consilium parcel", where="parcel")
    sizes = LENGTHS.unpack(data[len(MAGIC) : head])
    if sizes[0] > MAX_ENVELOPE_BYTES or head + sum(sizes) != len(data):
        raise ContractError("is cut short or too long", where="parcel", cure="ask for it again")
    first, second = head + sizes[0], head + sizes[0] + sizes[1]
    return Parcel(data[head:first], data[first:second], data[second:])


def seal(manifest: Manifest, tensors: bytes, passage: Passage, keys: list[Ed25519PrivateKey]) -> Parcel:
    """A parcel signed by every key given (the sender's, then any approver's)."""
    body = manifest_bytes(manifest)
    envelope = sign_statement(passage.kind, digest(body), PREDICATE_TYPE, passage, keys)
    return Parcel(envelope, body, tensors)


def read_passage(parcel: Parcel) -> Passage:
    """What the envelope says, with nothing verified but its form and that it speaks of this manifest.

    Raises:
        ContractError: not an in-toto statement of this version, or about another manifest.
    """
    statement = read_statement(parcel.envelope, PREDICATE_TYPE, Passage)
    if statement.name != statement.predicate.kind:
        raise ContractError("names something else than its kind", where="envelope")  # the log keeps every word of it
    if statement.digest != parcel.digest:
        raise ContractError("was signed for another manifest", where="envelope", cure="ask for the parcel again")
    return statement.predicate


def open_parcel(parcel: Parcel, trust: TrustFile, *, recipient: str) -> Opened:
    """Checks signature, address, schema and declared tensors of a parcel.

    Sequence rules are the receiver's (`check_sequence`), since they need what arrived before.

    Raises:
        ContractError, SignatureError, SequenceError.
    """
    passage, signers = check_envelope(parcel, trust, recipient=recipient)
    return open_contents(parcel, passage, signers)


def check_envelope(parcel: Parcel, trust: TrustFile, *, recipient: str) -> tuple[Passage, frozenset[str]]:
    """Form, address and signatures of a parcel: what it says of itself, and the key ids that verified.

    Raises:
        ContractError, SequenceError, SignatureError.
    """
    passage = read_passage(parcel)
    if passage.federation != trust.federation:
        raise SequenceError(
            f"is for federation '{passage.federation}', this is '{trust.federation}'", where=passage.sender
        )
    if passage.recipient not in (recipient, EVERYONE):
        raise SequenceError(f"is addressed to '{passage.recipient}', this is '{recipient}'", where=passage.sender)
    return passage, _verify(parcel, passage, trust)


def open_contents(parcel: Parcel, passage: Passage, signers: frozenset[str]) -> Opened:
    """The contents of a parcel whose envelope was checked.

    Raises:
        ContractError: the manifest or its tensors are not what the contract says.
    """
    manifest = parse_manifest(parcel.manifest)
    _check_sender(passage, manifest)
    tensors = unpack_tensors(parcel.tensors, manifest)
    check_shapes(manifest)
    return Opened(passage, manifest, tensors, parcel.digest, signers)


def _verify(parcel: Parcel, passage: Passage, trust: TrustFile) -> frozenset[str]:
    senders = _senders(passage, trust)
    envelope = parse_document(parcel.envelope)
    accepted = verified_by(envelope, [party.verifier() for party in senders])
    if not accepted:
        raise SignatureError("the signature does not verify", where=passage.sender)
    # whom the hospital's own gate asks is its affair: an approver whose key was replaced meanwhile had approved
    approvers = trust.with_former().find(role="approver", site=passage.sender)
    approved = verified_by(envelope, [party.verifier() for party in approvers])
    if passage.approval == "each" and not approved:
        raise SignatureError("says an approver signed, but no known approver did", where=passage.sender)
    return accepted | approved


def _senders(passage: Passage, trust: TrustFile) -> tuple[Party, ...]:
    role: Literal["site", "coordinator"] = "coordinator" if passage.kind in COORDINATOR_KINDS else "site"
    senders = trust.find(role=role, name=passage.sender)
    if not senders:
        known = {party.name for party in trust.parties if party.role == role}
        reason = "its key was revoked" if passage.sender in known else "it is not enrolled"
        raise SignatureError(f"no key of this {role} counts: {reason}", where=passage.sender)
    return senders


def _check_sender(passage: Passage, manifest: Any) -> None:
    if passage.kind != manifest.kind or manifest.federation != passage.federation:
        raise ContractError("says something else than its manifest", where="envelope")
    if manifest.kind in SITE_KINDS and manifest.site != passage.sender:
        raise ContractError(f"speaks for site '{manifest.site}'", where=passage.sender)


class Ledger(BaseModel):
    """What one receiver knows of one sender's envelopes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int = 0
    last: str | None = None
    current: frozenset[str] = frozenset()
    superseded: frozenset[str] = frozenset()
    withdrawn: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    def accepting(self, passage: Passage, parcel_digest: str) -> Ledger:
        """After taking the sender's next parcel."""
        return self._after(passage, parcel_digest, current=self.current | {parcel_digest})

    def refusing(self, passage: Passage, parcel_digest: str) -> Ledger:
        """After refusing the contents of the sender's next parcel: its number is used up, and nothing else changes."""
        return self._after(passage, parcel_digest, refused=self.refused | {parcel_digest})

    def _after(self, passage: Passage, parcel_digest: str, **sets: frozenset[str]) -> Ledger:
        return self.model_copy(update={"sequence": passage.sequence, "last": parcel_digest, **sets})


def check_sequence(ledger: Ledger, passage: Passage, parcel_digest: str) -> Literal["new", "same"]:
    """Whether an envelope is the sender's next, or one already current (then nothing is to be done).

    Raises:
        SequenceError: superseded, withdrawn, refused before, or out of order.
    """
    if parcel_digest in ledger.withdrawn:
        raise SequenceError("was withdrawn and cannot come back", where=passage.sender)
    if parcel_digest in ledger.superseded:
        raise SequenceError("was superseded by a later one", where=passage.sender)
    if parcel_digest in ledger.refused:
        raise SequenceError("was refused before", where=passage.sender, cure="see the quarantine")
    if parcel_digest in ledger.current:
        return "same"
    if passage.sequence != ledger.sequence + 1 or passage.previous != ledger.last:
        raise SequenceError(
            f"is number {passage.sequence}, number {ledger.sequence + 1} is next",
            where=passage.sender,
            cure="send the missing parcels first",
        )
    return "new"
