"""Checkpoints: how many entries a log has, and the root of its tree, as a note (C2SP tlog-checkpoint).

https://c2sp.org/tlog-checkpoint
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from federated.errors import ContractError
from federated.log.merkle import HASH_BYTES
from federated.log.notes import Note

WHERE = "checkpoint"
MAX_SIZE = 2**62


def origin_of(federation: str) -> str:
    """The name of a federation's log, and of the key that signs it."""
    return f"consilium/{federation}"


def witness_name(federation: str, site: str) -> str:
    """Under which a site signs its checkpoints."""
    return f"{origin_of(federation)}/{site}"


@dataclass(frozen=True)
class Checkpoint:
    """A tree at one moment.

    Attributes:
        origin: which log, one line.
        size: entries.
        root: 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    def note(self) -> Note:
        """With nobody's signature."""
        return Note(f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n")


def read_checkpoint(note: Note, origin: str) -> Checkpoint:
    """What a note's text says of a log; whose signatures it bears is asked elsewhere.

    Raises:
        ContractError: it is no checkpoint, or of another log; extension lines, which no witness vouches for, included.
    """
    lines = note.text.removesuffix("\n").split("\n")
    if len(lines) != 3:
        raise ContractError(f"has {len(lines)} lines, expected origin, size and root", where=WHERE)
    if lines[0] != origin:
        raise ContractError(f"is of the log '{lines[0][:80]}', expected '{origin}'", where=WHERE)
    return Checkpoint(origin, _size(lines[1]), _root(lines[2]))


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or (len(text) > 1 and text[0] == "0") or len(text) > len(str(MAX_SIZE)):
        raise ContractError("says no size", where=WHERE)
    size = int(text)
    if size > MAX_SIZE:
        raise ContractError(f"says {size} entries, at most {MAX_SIZE} are taken", where=WHERE)
    return size


def _root(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ContractError("its root is not base64", where=WHERE) from error
    if len(found) != HASH_BYTES or base64.b64encode(found).decode() != text:
        raise ContractError(f"its root is no hash of {HASH_BYTES} bytes", where=WHERE)
    return found
