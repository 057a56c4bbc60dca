"""How a site joins: the coordinator's kit, the site's request, and later the rotation of the site's key.

Each is a signed document whose key is in it, so the key's fingerprint has to be told by another channel (a telephone, a
letter): there is no trust on first use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, StringConstraints, ValidationError, model_validator

from federated.canonical import canonical
from federated.errors import ContractError, SignatureError
from federated.faults import first_fault
from federated.files import write_whole
from federated.keys import Party, PublicHex, fingerprint, fingerprint_matches, public_hex, spoken_fingerprint, verifier
from federated.manifest import FrontEndCard, Frozen, Name
from federated.signing import read_document, sign_document, verified_by
from federated.vocabulary import Vocabulary

KIT_TYPE = "application/vnd.consilium.kit+json"
REQUEST_TYPE = "application/vnd.consilium.request+json"
ROTATION_TYPE = "application/vnd.consilium.rotation+json"
Invitation = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Address = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9.-]{1,253}:[0-9]{1,5})?$")]
Certificate = Annotated[
    str, StringConstraints(pattern=r"^(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s-]+)?$", max_length=2**16)
]
FlowerKey = Annotated[str, StringConstraints(pattern=r"^(ecdsa-sha2-nistp384 [A-Za-z0-9+/]+=*)?$", max_length=1000)]


class Kit(Frozen):
    """What the coordinator hands to one site: who it is, where it is, and what the federation works on.

    `superlink` is host:port of the Flower link and `ca_certificate` its authority in PEM; both are empty where parcels
    go by file only.
    """

    version: Literal[1] = 1
    federation: Name
    coordinator: Name
    coordinator_public: PublicHex
    site: Name
    invitation: Invitation
    superlink: Address
    ca_certificate: Certificate
    task: Name
    front_end: FrontEndCard
    vocabulary: Vocabulary


class Request(Frozen):
    """What the site answers: its key, its approvers' keys, and its Flower node's public key (OpenSSH, or empty)."""

    version: Literal[1] = 1
    federation: Name
    site: Name
    site_public: PublicHex
    approvers: tuple[Party, ...] = Field(max_length=20)
    invitation: Invitation
    flower_public: FlowerKey

    @model_validator(mode="after")
    def _approvers_are_this_sites(self) -> Request:
        if any(party.role != "approver" or party.site != self.site or party.revoked for party in self.approvers):
            raise ValueError("an approver is not this site's")
        return self


class Rotation(Frozen):
    """A site's new key in place of its old one, signed by both."""

    version: Literal[1] = 1
    federation: Name
    site: Name
    old_public: PublicHex
    new_public: PublicHex


Document = TypeVar("Document", bound=Frozen)


def write_kit(kit: Kit, key: Ed25519PrivateKey, path: Path) -> None:
    """The kit, signed by the coordinator.

    Raises:
        SignatureError: the key is not the coordinator's.
    """
    _write(kit, KIT_TYPE, {kit.coordinator_public: key}, path)


def read_kit(path: Path, *, fingerprint: str) -> Kit:
    """The kit, if the coordinator whose fingerprint was told by another channel signed it.

    Raises:
        ContractError: not a kit.
        SignatureError: made by another key than the fingerprint's, or changed since.
    """
    kit = _read(path, KIT_TYPE, Kit, "coordinator_public")
    _require_fingerprint(kit.coordinator_public, fingerprint, path)
    return kit


def write_request(request: Request, key: Ed25519PrivateKey, path: Path) -> None:
    """The request, signed by the site.

    Raises:
        SignatureError: the key is not the site's.
    """
    _write(request, REQUEST_TYPE, {request.site_public: key}, path)


def read_request(path: Path, *, fingerprint: str) -> Request:
    """The request, if the site whose fingerprint was told by another channel signed it.

    Raises:
        ContractError: not a request.
        SignatureError: made by another key than the fingerprint's, or changed since.
    """
    request = _read(path, REQUEST_TYPE, Request, "site_public")
    _require_fingerprint(request.site_public, fingerprint, path)
    return request


def write_rotation(rotation: Rotation, old: Ed25519PrivateKey, new: Ed25519PrivateKey, path: Path) -> None:
    """The rotation, signed by the old key and the new one.

    Raises:
        SignatureError: the keys are not those it names.
    """
    _write(rotation, ROTATION_TYPE, {rotation.old_public: old, rotation.new_public: new}, path)


def read_rotation(path: Path) -> Rotation:
    """The rotation, if both keys it names signed it. The reader has to see that the old one is the site's current key.

    Raises:
        ContractError: not a rotation.
        SignatureError: not signed by both keys.
    """
    return _read(path, ROTATION_TYPE, Rotation, "old_public", "new_public")


def _write(document: Frozen, payload_type: str, keys: dict[str, Ed25519PrivateKey], path: Path) -> None:
    if any(public_hex(key) != public for public, key in keys.items()):
        raise SignatureError("the key is not the one the document names", where=str(path))
    payload = canonical(document.model_dump(mode="json"))
    write_whole(path, sign_document(payload, payload_type, keys.values()))


def _read(path: Path, payload_type: str, model: type[Document], *public_fields: str) -> Document:
    envelope = read_document(path, payload_type)
    document = _parse(envelope.payload, model, path)
    keys = [verifier(getattr(document, name), where=str(path)) for name in public_fields]
    if verified_by(envelope, keys) != {key.keyid for key in keys}:
        raise SignatureError("a signature is missing or does not verify", where=str(path), cure="ask for it again")
    return document


def _parse(payload: bytes, model: type[Document], path: Path) -> Document:
    try:
        document = model.model_validate_json(payload)
        same = canonical(document.model_dump(mode="json")) == payload
    except ValidationError as error:
        raise ContractError(first_fault(error), where=str(path)) from error
    except ValueError as error:  # a number that canonical JSON has not
        raise ContractError(str(error), where=str(path)) from error
    if not same:
        raise ContractError("is not in canonical form (RFC 8785)", where=str(path))
    return document


def _require_fingerprint(public: str, told: str, path: Path) -> None:
    key_id = fingerprint(bytes.fromhex(public))
    if not fingerprint_matches(key_id, told):
        raise SignatureError(
            f"its key has the fingerprint {spoken_fingerprint(key_id)}, not the one you were told",
            where=str(path),
            cure="ask the sender for the fingerprint by telephone, and give at least 32 digits",
        )
