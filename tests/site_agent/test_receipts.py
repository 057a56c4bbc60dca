from __future__ import annotations

from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from site_agent.receipts import Receipt, read_receipts, require_complete, write_receipts


def _receipt(sequence: int) -> Receipt:
    return Receipt(
        when="2020-01-01T00:00:00Z",
        sequence=sequence,
        kind="statistics",
        digest=f"sha256:{sequence:064x}",
        bytes=1000,
        recipient="hub",
        level=2,
        level_to_sites=1,
        policy="sha256:" + "1" * 64,
        filters={"cell": "5 <= 12"},
        approval="standing",
        approver="2" * 64,
    )


def test_one_line_each_that_any_program_can_read(tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    receipts = [_receipt(1), _receipt(2)]
    write_receipts(path, [receipt.json_line() for receipt in receipts])
    assert path.read_text().count("\n") == 2
    assert read_receipts(path) == receipts


def test_no_file_is_no_receipts(tmp_path: Path) -> None:
    assert read_receipts(tmp_path / "missing.jsonl") == []


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    path.write_text(_receipt(1).json_line() + "{}\n")
    with pytest.raises(ConsiliumError, match="line 2: is not a receipt; restore it"):
        read_receipts(path)
    path.write_bytes(b"\xff\n")
    with pytest.raises(ConsiliumError, match="cannot be read"):
        read_receipts(path)


def test_a_ledger_that_knows_less_than_the_receipts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    write_receipts(path, [_receipt(1).json_line(), _receipt(2).json_line()])
    require_complete(path, [1, 2, 3])
    with pytest.raises(ConsiliumError, match="does not know number 2"):
        require_complete(path, [1])
