"""Receipts of everything that left: one JSON line each, in a file that any program can read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from federated.canonical import canonical
from federated.errors import ConsiliumError, cannot_read
from federated.files import write_whole
from federated.manifest import Digest, Frozen, Name


class Receipt(Frozen):
    """What left, when, to whom, and why it was allowed to.

    Attributes:
        when: UTC, to the second.
        sequence: number towards the coordinator.
        bytes: of the whole parcel.
        level, level_to_sites: of statistics.
        policy: digest of the policy's file; None for what needs none.
        filters: each filter's limit and what was found.
        approval: "none", "standing" or "each".
        approver: key id of who signed the policy or the parcel.
    """

    when: str
    sequence: int
    kind: str
    digest: Digest
    bytes: int
    recipient: Name
    level: int | None
    level_to_sites: int | None
    policy: Digest | None
    filters: dict[str, str]
    approval: str
    approver: str | None

    def json_line(self) -> str:
        """Canonical JSON with a line end."""
        return canonical(self.model_dump(mode="json")).decode() + "\n"


def write_receipts(path: Path, lines: Iterable[str]) -> None:
    """All receipts, in one step.

    Raises:
        ConsiliumError: the disk is full; the file keeps what it held.
    """
    write_whole(path, "".join(lines).encode())


def read_receipts(path: Path) -> list[Receipt]:
    """Receipts by number; none where the file is missing.

    Raises:
        ConsiliumError: the file cannot be read, or a line is no receipt.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise cannot_read(path, error) from error
    return [_parse(line, f"{path} line {number}") for number, line in enumerate(lines, 1)]


def _parse(line: str, where: str) -> Receipt:
    try:
        return Receipt.model_validate_json(line)
    except ValidationError as error:
        raise ConsiliumError("is not a receipt", where=where, cure="restore it from the backup") from error


def require_complete(path: Path, numbers: Sequence[int]) -> None:
    """Whether the ledger knows everything that the receipts do: an older copy of it would use numbers twice.

    Raises:
        ConsiliumError: a receipt has a number that the ledger does not know.
    """
    unknown = {receipt.sequence for receipt in read_receipts(path)} - set(numbers)
    if unknown:
        raise ConsiliumError(
            f"the ledger does not know number {min(unknown)}, which left according to the receipts",
            where=str(path),
            cure="restore ledger.sqlite from the newest backup; nothing leaves until then",
        )
