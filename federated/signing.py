"""Signed documents: a payload in a DSSE envelope (version 1), in canonical JSON, signed with Ed25519 keys.

https://github.com/secure-systems-lab/dsse
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope as Dsse
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from federated.canonical import canonical
from federated.errors import ConsiliumError, ContractError
from federated.keys import signer

MAX_DOCUMENT_BYTES = 2**20
KEY_ID = re.compile(r"[0-9a-f]{64}")


def sign_document(payload: bytes, payload_type: str, keys: Iterable[Ed25519PrivateKey]) -> bytes:
    """The envelope's canonical bytes, with one signature a key."""
    envelope = Dsse(payload, payload_type, {})
    for key in keys:
        envelope.sign(signer(key))
    return canonical(envelope.to_dict())


def parse_document(data: bytes) -> Dsse:
    """An envelope, with nothing verified but its form.

    Only the canonical form is taken, so that no byte of it can change without being noticed.

    Raises:
        ContractError: too long, not a DSSE envelope, or not in canonical form.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise ContractError(f"{len(data)} bytes, at most {MAX_DOCUMENT_BYTES} are taken", where="envelope")
    try:
        envelope = Dsse.from_dict(json.loads(data))
        envelope.pae()  # takes the payload type for text
        same = canonical(envelope.to_dict()) == data and all(KEY_ID.fullmatch(name) for name in envelope.signatures)
    except Exception as error:  # the library raises its own and built-in errors for malformed envelopes
        raise ContractError("is not a DSSE envelope", where="envelope") from error
    if not same:
        raise ContractError("is not in canonical form", where="envelope", cure="ask for it again")
    return envelope


def verified_by(envelope: Dsse, keys: Iterable[SSlibKey]) -> frozenset[str]:
    """Ids of those keys whose signature is there and verifies."""
    return frozenset(key.keyid for key in keys if _verifies(envelope, key))


def _verifies(envelope: Dsse, key: SSlibKey) -> bool:
    try:
        envelope.verify([key], 1)
    except VerificationError:
        return False
    return True


def read_document(path: Path, payload_type: str) -> Dsse:
    """An envelope from a file.

    Raises:
        ConsiliumError: the file cannot be read, or holds no envelope of this payload type.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise ConsiliumError(f"cannot be read ({error.strerror})", where=str(path)) from error
    try:
        envelope = parse_document(data)
    except ContractError as error:
        raise ContractError(error.what, where=str(path), cure=error.cure) from error
    if envelope.payload_type != payload_type:
        raise ContractError(f"is a '{envelope.payload_type}', expected '{payload_type}'", where=str(path))
    return envelope
