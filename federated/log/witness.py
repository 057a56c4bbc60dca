"""A witness: whoever signs a log's checkpoints, each only after a proof that it goes on from the last one seen.

What is asked and answered is what C2SP tlog-witness says (https://c2sp.org/tlog-witness), however it is carried. Two
checkpoints of one size with different roots, both signed by the log, prove that whoever holds it tells different
histories. They are kept, as is what was not shown to go on from the last one seen.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.errors import ContractError, SignatureError
from federated.files import write_new, write_whole
from federated.keys import Party
from federated.log.checkpoints import Checkpoint, read_checkpoint, witness_name
from federated.log.merkle import EMPTY_ROOT, HASH_BYTES, LONGEST_PROOF, check_consistency
from federated.log.notes import (
    COSIGNATURE,
    MAX_NOTE_BYTES,
    Line,
    Note,
    NoteKey,
    cosign,
    cosigned_at,
    is_signed,
    parse_note,
    read_note,
)

SEEN = "seen"
FORK, UNPROVED = "fork", "unproved"  # checkpoints that were not signed, by why
OLD, HAVE = "old ", "have "
MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 64 * LONGEST_PROOF
WHERE = "checkpoint to be witnessed"


class ForkError(ContractError):
    """A log has signed two histories of one size."""


class OtherSizeError(ContractError):
    """A proof from another size than that of the last checkpoint seen.

    Attributes:
        size: the one it has to start from.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"the last checkpoint seen has {size} entries", where=WHERE, cure="prove from there")
        self.size = size


@dataclass(frozen=True)
class Request:
    """A checkpoint to be cosigned, and the proof that it goes on from `old` entries."""

    old: int
    proof: tuple[bytes, ...]
    note: Note

    def to_bytes(self) -> bytes:
        """As C2SP tlog-witness sends it."""
        lines = [f"{OLD}{self.old}", *(base64.b64encode(each).decode() for each in self.proof), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.note.to_bytes()


def parse_request(data: bytes) -> Request:
    """A request, with nothing verified but its form.

    Raises:
        ContractError: it has another form.
    """
    if len(data) > MAX_REQUEST_BYTES:
        raise ContractError(f"{len(data)} bytes, at most {MAX_REQUEST_BYTES} are taken", where=WHERE)
    head, gap, note = data.partition(b"\n\n")
    try:
        first, *hashes = head.decode("ascii").split("\n")
        proof = tuple(base64.b64decode(each, validate=True) for each in hashes)
    except (UnicodeDecodeError, binascii.Error, ValueError) as error:
        raise ContractError("is no request", where=WHERE) from error
    digits = first.removeprefix(OLD)
    if not gap or not first.startswith(OLD) or str(_number(digits)) != digits:
        raise ContractError("does not begin with 'old' and a size", where=WHERE)
    if len(proof) >= LONGEST_PROOF or any(len(each) != HASH_BYTES for each in proof):
        raise ContractError("has a proof that is none", where=WHERE)
    request = Request(int(digits), proof, parse_note(note))
    if request.to_bytes() != data:
        raise ContractError("has a proof whose base64 is not canonical", where=WHERE)
    return request


class Witness:
    """What one witness has seen of one log, in a folder of its own.

    Attributes:
        seen: the last checkpoint that it signed; None before the first.
    """

    def __init__(self, folder: Path, log: NoteKey) -> None:
        """Opens it, or begins.

        Args:
            folder: of this log and witness alone.
            log: key and name of the log, which is its origin.

        Raises:
            ContractError: what is there is of another log.
        """
        self._folder, self._log = folder, log
        self.seen = read_note(folder / SEEN)
        self._checkpoint = read_checkpoint(self.seen, log.name) if self.seen else Checkpoint(log.name, 0, EMPTY_ROOT)

    @property
    def size(self) -> int:
        """Entries of the last checkpoint seen."""
        return self._checkpoint.size

    def cosign(
        self,
        data: bytes,
        name: str,
        key: Ed25519PrivateKey,
        seconds: int,
        keep: Callable[[Checkpoint, Note], None] | None = None,
    ) -> Note:
        """The checkpoint of a request with the witness' signature, after it was kept as the last one seen.

        Args:
            data: a `Request`.
            name: of the witness.
            key: of the witness.
            seconds: now, since 1970.
            keep: what else is to be written down of a checkpoint that is right, before it counts as seen.

        Raises:
            SignatureError: it is not signed by the log.
            OtherSizeError: its proof starts from another size.
            ForkError: the log says something else than before.
            ContractError: it is no request, or of another log, or not shown to go on from the last one seen.
        """
        request = parse_request(data)
        if not is_signed(request.note, self._log):
            raise SignatureError(f"is not signed by '{self._log.name}'", where=WHERE)
        checkpoint = read_checkpoint(request.note, self._log.name)
        self._require_continuation(checkpoint, request)
        signed = cosign(Note(request.note.text, _own(request.note, self._log)), name, key, seconds)
        self._folder.mkdir(parents=True, exist_ok=True)
        if keep is not None:
            keep(checkpoint, signed)
        write_whole(self._folder / SEEN, signed.to_bytes())
        self.seen, self._checkpoint = signed, checkpoint
        return signed

    def _require_continuation(self, checkpoint: Checkpoint, request: Request) -> None:
        if checkpoint.size == self.size and checkpoint.root != self._checkpoint.root:
            self._keep(FORK, request.note, checkpoint.size)
            raise ForkError(f"the log has signed two histories of {self.size} entries", where=self._log.name)
        if checkpoint.size < self.size or request.old != self.size:
            raise OtherSizeError(self.size)
        try:
            check_consistency(self.size, self._checkpoint.root, checkpoint.size, checkpoint.root, request.proof)
        except ContractError as error:
            self._keep(UNPROVED, request.note, checkpoint.size)
            what = f"what the log signed as {checkpoint.size} entries is not shown to go on from the {self.size} seen"
            raise ContractError(what, where=self._log.name, cure="show both checkpoints to the auditor") from error

    def _keep(self, why: str, note: Note, size: int) -> None:
        """Beside the last one seen, for whoever asks the log's holder to explain it; the first of its size."""
        path = self._folder / f"{why}-{size}"
        if not path.exists():
            write_new(path, note.to_bytes())


def have(size: int) -> bytes:
    """What a witness answers to a proof from another size than that which it has seen."""
    return f"{HAVE}{size}\n".encode()


def parse_have(data: bytes) -> int | None:
    """The size that a witness has seen; None where the answer says something else."""
    text = data.decode("ascii", errors="replace")
    size = _number(text.removeprefix(HAVE).removesuffix("\n"))
    return size if have(max(size, 0)) == data else None


def witness_key(federation: str, party: Party) -> NoteKey:
    """A site's key, as that of a witness of its federation's log."""
    return NoteKey(witness_name(federation, party.name), bytes.fromhex(party.public), COSIGNATURE)


def cosigners(note: Note, witnesses: Collection[NoteKey]) -> dict[str, int]:
    """Which witnesses signed a checkpoint, and when, in seconds since 1970.

    Raises:
        SignatureError: a witness' signature does not verify.
    """
    found = [(key.name, cosigned_at(note, key)) for key in witnesses]  # a site may have had two keys
    return {name: seconds for name, seconds in found if seconds is not None}


def _own(note: Note, key: NoteKey) -> tuple[Line, ...]:
    return tuple(line for line in note.lines if (line.name, line.key_id) == (key.name, key.key_id))


def _number(digits: str) -> int:
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else -1
