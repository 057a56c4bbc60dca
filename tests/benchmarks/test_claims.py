"""Claims say whether they hold, and results are written whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmarks.claims import Claim, Result, at_least, at_most, read_result, told, write_result


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        (at_most("time", 2.0, "s", 2.0), True),
        (at_most("time", 2.1, "s", 2.0), False),
        (at_most("time", float("nan"), "s", 2.0), False),
        (at_least("speed", 50.0, "images/s", 50.0), True),
        (at_least("speed", 49.9, "images/s", 50.0), False),
        (told("accuracy", 0.7, ""), None),
    ],
)
def test_a_claim_holds_or_does_not(claim: Claim, holds: bool | None) -> None:
    assert claim.holds is holds


def test_a_result_reads_back_as_written(tmp_path: Path) -> None:
    result = Result(
        name="spine",
        quick=True,
        commit="abc",
        machine={"cores": "2"},
        rows=({"table": "t", "n": 3, "seconds": 0.5, "ok": True, "peer": None},),
        claims=(at_most("time", 1.5, "s", 2.0),),
        notes=("a note",),
    )
    path = tmp_path / "new" / "spine.json"
    write_result(result, path)
    assert read_result(path) == result
    assert [file.name for file in path.parent.iterdir()] == ["spine.json"]


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spine.json"
    path.write_text('{"name": "spine", "rumour": 1}', encoding="utf-8")
    with pytest.raises(ValidationError):
        read_result(path)
