"""The record's costs in small: every part has a row, and what is audited is what was appended."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import trust
from benchmarks.claims import Measured
from federated.log.entries import read_entry, sign_entry
from federated.log.journal import Journal
from federated.log.verification import verify_log


@pytest.fixture(scope="module")
def measured() -> Measured:
    return trust.measure(quick=True)


def test_every_part_has_a_row_and_a_figure(measured: Measured) -> None:
    parts = {
        "append": 200,
        "inclusion proof": 10_000,
        "consistency proof": 10_000,
        "audit verify": 1_000,
        "audit verify of a bundle": 1_000,
        "index of summaries": 100,
        "page /": 100,
    }
    assert [(row["what"], row["entries"]) for row in measured.rows][: len(parts)] == list(parts.items())
    assert all(set(row) == set(measured.rows[0]) for row in measured.rows)
    assert all(claim.value > 0 for claim in measured.claims)


def test_what_is_appended_is_what_a_hospital_sends(tmp_path: Path) -> None:
    entries = [*trust.beginning(), *trust.contributions(5)]
    assert [entry.kind for entry in entries[2:]] == ["statistics"] * 5
    journal = Journal(tmp_path, "consilium/speed")
    journal.append([sign_entry(entry, trust.HUB) for entry in entries], trust.HUB)
    assert [read_entry(data).predicate for data in journal.entries()] == entries
    checks = {check.name: check for check in verify_log(tmp_path, trust.trust(), witnesses=0)}
    assert checks["entries"].found == "7 in their order, 5 of them with a hospital's own signature; 0 releases"


def test_a_folder_that_went_wrong_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "root_from_inclusion", lambda *_: b"")
    with pytest.raises(AssertionError, match="is not proved"):
        list(trust._prove(tmp_path / "long", 300))
