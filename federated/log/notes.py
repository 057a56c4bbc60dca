"""Signed notes: a text, and below it a line for every key that signed it (C2SP signed-note, tlog-cosignature).

https://c2sp.org/signed-note, https://c2sp.org/tlog-cosignature. Two kinds of signatures are made and verified: Ed25519
over the text, and a witness' over the text with the time at which it saw it. Lines of other keys and kinds stay as they
are and prove nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from federated.errors import ContractError, SignatureError, cannot_read
from federated.files import Place

ED25519, COSIGNATURE = 0x01, 0x04  # how a key signs
DASH = "— "
KEY_ID_BYTES, TIME_BYTES = 4, 8
MAX_NOTE_BYTES = 64 * 2**10
MAX_SIGNATURES = 256
WHERE = "signed note"


@dataclass(frozen=True)
class Line:
    """A signature.

    Attributes:
        name: of the key.
        key_id: 4 bytes of the digest of name, kind and public key.
        value: the signature itself.
    """

    name: str
    key_id: bytes
    value: bytes

    def text(self) -> str:
        """With its newline."""
        return f"{DASH}{self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"


@dataclass(frozen=True)
class Note:
    """A text that ends in a newline, and its signatures."""

    text: str
    lines: tuple[Line, ...] = ()

    def to_bytes(self) -> bytes:
        """As it is stored and sent."""
        return (self.text + "\n" + "".join(line.text() for line in self.lines)).encode()

    def with_line(self, line: Line) -> Note:
        """With one more signature, in place of an older one by the same key."""
        others = [each for each in self.lines if (each.name, each.key_id) != (line.name, line.key_id)]
        return replace(self, lines=(*others, line))


@dataclass(frozen=True)
class NoteKey:
    """A public key under a name.

    Attributes:
        name: without spaces or plus signs.
        public: 32 bytes.
        kind: `ED25519` or `COSIGNATURE`.
    """

    name: str
    public: bytes
    kind: int

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256 of name, newline, kind and public key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:KEY_ID_BYTES]


def sign(note: Note, name: str, key: Ed25519PrivateKey) -> Note:
    """With a signature over the text."""
    public = NoteKey(name, key.public_key().public_bytes_raw(), ED25519)
    return note.with_line(Line(name, public.key_id, key.sign(note.text.encode())))


def cosign(note: Note, name: str, key: Ed25519PrivateKey, seconds: int) -> Note:
    """With a witness' signature over the text and the time, in seconds since 1970 (cosignature/v1)."""
    public = NoteKey(name, key.public_key().public_bytes_raw(), COSIGNATURE)
    value = seconds.to_bytes(TIME_BYTES, "big") + key.sign(_cosigned(note.text, seconds))
    return note.with_line(Line(name, public.key_id, value))


def is_signed(note: Note, key: NoteKey) -> bool:
    """Whether a key of kind `ED25519` signed.

    Raises:
        SignatureError: a signature by this key does not verify.
    """
    line = _line_of(note, key)
    if line is None:
        return False
    _verify(key, line.value, note.text.encode())
    return True


def cosigned_at(note: Note, key: NoteKey) -> int | None:
    """When a key of kind `COSIGNATURE` signed, in seconds since 1970; None if it did not.

    Raises:
        SignatureError: a signature by this key does not verify.
    """
    line = _line_of(note, key)
    if line is None:
        return None
    seconds = int.from_bytes(line.value[:TIME_BYTES], "big")
    _verify(key, line.value[TIME_BYTES:], _cosigned(note.text, seconds))
    return seconds


def parse_note(data: bytes) -> Note:
    """A note, with nothing verified but its form.

    Raises:
        ContractError: too long, or no signed note.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise ContractError(f"{len(data)} bytes, at most {MAX_NOTE_BYTES} are taken", where=WHERE)
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise ContractError("is not UTF-8", where=WHERE) from error
    if any(sign < " " and sign != "\n" for sign in whole):
        raise ContractError("has a control character", where=WHERE)
    text, gap, below = whole.rpartition("\n\n")
    if not gap or not below.endswith("\n"):
        raise ContractError("has no signatures below an empty line", where=WHERE)
    rows = below.removesuffix("\n").split("\n")
    if len(rows) > MAX_SIGNATURES:
        raise ContractError(f"has {len(rows)} signatures, at most {MAX_SIGNATURES} are taken", where=WHERE)
    return Note(text + "\n", tuple(_parse_line(row) for row in rows))


def read_note(path: Place) -> Note | None:
    """A note from a file; None if there is no such file.

    Raises:
        ConsiliumError: it cannot be read, or is no note.
    """
    try:
        with path.open("rb") as file:
            return parse_note(file.read(MAX_NOTE_BYTES + 1))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(path, error) from error


def _parse_line(row: str) -> Line:
    parts = row.removeprefix(DASH).split(" ")
    if not row.startswith(DASH) or len(parts) != 2 or not _is_name(parts[0]):
        raise ContractError("has a line below it that is no signature", where=WHERE)
    try:
        raw = base64.b64decode(parts[1], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ContractError("has a signature that is not base64", where=WHERE) from error
    if len(raw) <= KEY_ID_BYTES or base64.b64encode(raw).decode() != parts[1]:
        raise ContractError("has a signature that is too short or not canonical base64", where=WHERE)
    return Line(parts[0], raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(sign.isspace() for sign in name)


def _line_of(note: Note, key: NoteKey) -> Line | None:
    own = [line for line in note.lines if (line.name, line.key_id) == (key.name, key.key_id)]
    if len(own) > 1:
        raise SignatureError(f"is signed twice by '{key.name}'", where=WHERE)
    return own[0] if own else None


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _verify(key: NoteKey, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise SignatureError(f"the signature of '{key.name}' does not verify", where=WHERE) from error
