"""An entry with the proof that it is in the log: what a hospital keeps of each parcel that it sent.

The proof leads to the root of one checkpoint, and holds for ever: whoever has that checkpoint can follow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from federated.canonical import canonical
from federated.contract import Frozen
from federated.errors import ContractError
from federated.faults import first_fault
from federated.log.checkpoints import Checkpoint
from federated.log.entries import Entry, read_entry
from federated.log.journal import Journal
from federated.log.merkle import LONGEST_PROOF, leaf_hash, root_from_inclusion
from federated.log.tiles import MAX_ENTRY_BYTES

WHERE = "logged entry"
MAX_SIZE = 2**53 - 1  # what canonical JSON has as a whole number
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Told(Frozen):
    """An entry, its number, and how it hangs in the tree of a checkpoint of `size` entries."""

    version: int = Field(default=1, ge=1, le=1)
    number: Annotated[int, Field(ge=0, le=MAX_SIZE)]
    size: Annotated[int, Field(ge=1, le=MAX_SIZE)]
    proof: tuple[Hash, ...] = Field(max_length=LONGEST_PROOF)
    entry: Annotated[str, StringConstraints(max_length=MAX_ENTRY_BYTES)]

    def to_bytes(self) -> bytes:
        """As it is sent and kept."""
        return canonical(self.model_dump(mode="json"))


def tell(journal: Journal, number: int, entry: bytes) -> Told:
    """An entry under the newest checkpoint of a log."""
    proof = tuple(each.hex() for each in journal.inclusion(number))
    return Told(number=number, size=journal.size, proof=proof, entry=entry.decode())


def read_told(data: bytes, checkpoint: Checkpoint) -> tuple[Told, Entry]:
    """What was told, if it hangs in the tree of a checkpoint, whose signature was looked at elsewhere.

    Raises:
        ContractError: it is none, of another checkpoint, or not in its tree.
    """
    told = parse_told(data)
    raw = told.entry.encode()
    if told.size != checkpoint.size:
        raise ContractError(f"is proved in {told.size} entries, the checkpoint has {checkpoint.size}", where=WHERE)
    proof: Sequence[bytes] = [bytes.fromhex(each) for each in told.proof]
    if root_from_inclusion(leaf_hash(raw), told.number, told.size, proof) != checkpoint.root:
        raise ContractError(f"entry {told.number} is not in the log as it is told", where=WHERE)
    return told, read_entry(raw).predicate


def parse_told(data: bytes) -> Told:
    """What was told, with nothing verified but its form.

    Raises:
        ContractError: it has another form.
    """
    if len(data) > 4 * MAX_ENTRY_BYTES:
        raise ContractError(f"{len(data)} bytes are too many", where=WHERE)
    try:
        told = Told.model_validate_json(data)
    except ValidationError as error:
        raise ContractError(first_fault(error), where=WHERE) from error
    if told.to_bytes() != data:
        raise ContractError("is not in canonical form (RFC 8785)", where=WHERE)
    return told
