"""Ed25519 keys, their fingerprints, and the trust file from which an auditor starts."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator
from securesystemslib.signer._crypto_signer import CryptoSigner
from securesystemslib.signer._key import SSlibKey

from federated.errors import ConsiliumError, SignatureError, cannot_read
from federated.faults import NAME, PUBLIC_KEY, first_fault
from federated.files import write_new, write_whole
from federated.pkcs8 import encrypted_pem, is_encrypted, passphrase_bytes, plain_pem
from federated.toml_text import toml_as_json

Role = Literal["site", "approver", "coordinator"]
PublicHex = Annotated[str, StringConstraints(pattern=PUBLIC_KEY)]
PartyName = Annotated[str, StringConstraints(pattern=NAME)]


class Party(BaseModel):
    """A holder of a key: a site, one of its approvers, the coordinator, or an approver of releases, who has no site.

    `revoked` keys verify nothing any more; a rotated key is a new party entry with the same name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: PartyName
    role: Role
    public: PublicHex
    site: PartyName | None = None
    revoked: bool = False

    @model_validator(mode="after")
    def _only_approvers_belong_to_somebody(self) -> Party:
        if self.role != "approver" and self.site is not None:
            raise ValueError("an approver, and nobody else, names its site")
        return self

    @property
    def key_id(self) -> str:
        """Fingerprint of the public key, which also names it in signatures."""
        return fingerprint(bytes.fromhex(self.public))

    def verifier(self) -> SSlibKey:
        """The key as the DSSE library takes it.

        Raises:
            SignatureError: the public key is not an Ed25519 key.
        """
        return verifier(self.public, where=f"key of {self.name}")


class TrustFile(BaseModel):
    """Whose signatures count in a federation: ``keys.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    federation: PartyName
    parties: tuple[Party, ...]

    def find(self, *, role: Role, name: str | None = None, site: str | None = None) -> tuple[Party, ...]:
        """Parties of a role that are not revoked."""
        return tuple(
            party
            for party in self.parties
            if party.role == role
            and not party.revoked
            and (name is None or party.name == name)
            and (site is None or party.site == site)
        )

    def with_former(self) -> TrustFile:
        """As it is for what was signed earlier: keys that their party has replaced by another one count again.

        Who has no key left that counts was revoked, and has none here either.
        """
        live = {(party.role, party.name, party.site) for party in self.parties if not party.revoked}
        counting = [
            party.model_copy(update={"revoked": False}) if (party.role, party.name, party.site) in live else party
            for party in self.parties
        ]
        return self.model_copy(update={"parties": tuple(counting)})


def fingerprint(public: bytes) -> str:
    """SHA-256 of a raw public key, 64 hexadecimal digits."""
    return hashlib.sha256(public).hexdigest()


def spoken_fingerprint(key_id: str) -> str:
    """The first 32 digits in groups of four, to be read out over the telephone (128 bits)."""
    return " ".join(key_id[i : i + 4] for i in range(0, 32, 4))


def fingerprint_matches(key_id: str, told: str) -> bool:
    """Whether a fingerprint told by another channel (at least 32 digits, any spacing or case) is that of a key."""
    digits = "".join(told.split()).replace("-", "").lower()
    return len(digits) >= 32 and key_id.startswith(digits)


def public_hex(key: Ed25519PrivateKey) -> str:
    """The raw public key as 64 hexadecimal digits."""
    return key.public_key().public_bytes_raw().hex()


def verifier(public: str, *, where: str) -> SSlibKey:
    """A raw public key in hexadecimal as the DSSE library verifies with it.

    Raises:
        SignatureError: it is not an Ed25519 key.
    """
    raw = bytes.fromhex(public)
    try:
        return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(raw), keyid=fingerprint(raw))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError("is not an Ed25519 key", where=where) from error


def signer(key: Ed25519PrivateKey) -> CryptoSigner:
    """The key as the DSSE library signs with it."""
    key_id = fingerprint(key.public_key().public_bytes_raw())
    return CryptoSigner(key, SSlibKey.from_crypto(key.public_key(), keyid=key_id))


def create_private_key(path: Path, passphrase: str | None = None) -> Ed25519PrivateKey:
    """A fresh key in a new file that only its owner can read, and with a passphrase only who knows it.

    Raises:
        ConsiliumError: the file exists, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    write_new(path, plain_pem(key) if passphrase is None else encrypted_pem(key, passphrase))
    return key


def read_private_key(path: Path, passphrase: str | None = None) -> Ed25519PrivateKey:
    """An Ed25519 key from a PEM file.

    Raises:
        ConsiliumError: the file is missing, readable by others, or no such key; or the passphrase is another.
    """
    return parse_private_key(read_key_file(path), passphrase, path)


def read_key_file(path: Path) -> bytes:
    """The bytes of a private key's file.

    Raises:
        ConsiliumError: the file is missing, or readable by others.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConsiliumError("other users can read this key", where=str(path), cure=f"chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise ConsiliumError(f"the key cannot be read ({error.strerror})", where=str(path)) from error


def parse_private_key(pem: bytes, passphrase: str | None, path: Path) -> Ed25519PrivateKey:
    """An Ed25519 key from the bytes of a file; a passphrase is of no matter where it needs none.

    Raises:
        ConsiliumError: it is no such key, is encrypted and no passphrase is given, or the passphrase is another.
    """
    locked = is_encrypted(pem)
    if locked and passphrase is None:
        raise ConsiliumError("is encrypted, and no passphrase was given", where=str(path))
    password = passphrase_bytes(passphrase) if locked and passphrase is not None else None
    try:
        key = serialization.load_pem_private_key(pem, password=password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        public = b"-----BEGIN PUBLIC KEY-----" in pem
        other = "is the public key; name the private one" if public else "is not a PEM key"
        what = "the passphrase is another, or the file is damaged" if locked else other
        raise ConsiliumError(what, where=str(path)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConsiliumError("is not an Ed25519 key", where=str(path))
    return key


def read_public_key(path: Path) -> str:
    """An Ed25519 public key in hexadecimal, from a PEM file or one that holds the 64 digits.

    Raises:
        ConsiliumError: the file is missing or holds no such key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error
    digits = data.strip().lower()
    if re.fullmatch(rb"[0-9a-f]{64}", digits):
        return digits.decode()
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConsiliumError("is not a public key", where=str(path)) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConsiliumError("is not an Ed25519 key", where=str(path))
    return key.public_bytes_raw().hex()


def read_trust(path: Path) -> TrustFile:
    """A trust file from TOML.

    Raises:
        ConsiliumError: the file is missing or not a trust file.
    """
    try:
        return TrustFile.model_validate_json(toml_as_json(path.read_bytes()))
    except ValidationError as error:
        raise ConsiliumError(first_fault(error), where=str(path), cure="expected a keys.toml") from error
    except (OSError, ValueError) as error:
        raise ConsiliumError(f"the trust file cannot be read ({error})", where=str(path)) from error


def write_trust(trust: TrustFile, path: Path) -> None:
    """The trust file as TOML."""
    write_whole(path, tomli_w.dumps(trust.model_dump(mode="json", exclude_none=True)).encode())
