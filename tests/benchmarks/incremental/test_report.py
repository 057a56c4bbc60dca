"""From cells to tables, targets and pictures, with two rules on the clouds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.claims import Measured
from benchmarks.incremental.answers import Answers
from benchmarks.incremental.cell import Cell, play
from benchmarks.incremental.contestant import Start
from benchmarks.incremental.contestants import CLOSED_FORM, CONTESTANTS, GATED, JOINT, MOST_FREQUENT
from benchmarks.incremental.plots import draw_all
from benchmarks.incremental.questions import usual
from benchmarks.incremental.removal import Removals, removals
from benchmarks.incremental.report import summarise
from benchmarks.incremental.suite import Preset
from benchmarks.results import tables
from tests.benchmarks.incremental.conftest import SETTING, clouds

NAMES = (CLOSED_FORM, GATED, JOINT, MOST_FREQUENT)


PRESET = Preset(SETTING, patients=0, cases=None, digit_side=8, orders=2)


def _start(seed: int, folder: Path) -> Start:
    drawn = clouds(seed, PRESET)
    return Start(drawn.vocabulary, drawn.front_end, SETTING, seed, folder)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Answers]:
    found = []
    for seed, order in ((3, 0), (3, 1), (4, 0)):
        folder = tmp_path_factory.mktemp("kept")
        for name in NAMES:
            contestant = CONTESTANTS[name](_start(seed, folder))
            found.append(play(Cell("clouds", "cpu", seed, order, name), clouds(seed, PRESET), contestant))
    return found


@pytest.fixture(scope="module")
def removed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Removals]:
    start = _start(3, tmp_path_factory.mktemp("kept"))
    return {name: removals(name, clouds(3, PRESET), start) for name in (CLOSED_FORM, GATED)}


@pytest.fixture(scope="module")
def measured(cells: Sequence[Answers], removed: dict[str, Removals]) -> Measured:
    return summarise("clouds", "cpu", cells, removed)


def test_tables_have_a_row_a_contestant(measured: Measured) -> None:
    found = tables(measured.rows)
    assert [len(rows) for rows in found.values()] == [4, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 2]
    pairs = found["Balanced accuracy over (site, class) pairs after the last arrival, %"]
    assert [row["contestant"] for row in pairs] == list(NAMES)
    closed = pairs[0]
    assert closed["deviation over orders"] == 0.0
    assert isinstance(closed["seen pairs"], float)
    assert closed["seen pairs"] > 90
    assert pairs[3]["unseen pairs"] == 0.0


def test_targets_are_claims_that_hold_or_do_not(cells: Sequence[Answers], removed: dict[str, Removals]) -> None:
    claims = summarise("digits", "cpu", cells, removed).claims
    found = {claim.claim: claim for claim in claims}
    assert found["digits: closed form, deviation over orders of arrival"].holds
    assert any(f"closed form minus {GATED}" in name and "all pairs" in name for name in found)
    assert any(f"closed form minus {JOINT}" in name and "seen pairs" in name for name in found)
    assert sum(claim.holds is not None for claim in claims) >= 8


def test_words_say_what_is_told_apart(measured: Measured) -> None:
    words = next(note for note in measured.notes if note.startswith("All pairs"))
    assert "better than" in words
    assert MOST_FREQUENT in words


def test_pictures_are_drawn(cells: list[Answers], removed: dict[str, Removals], tmp_path: Path) -> None:
    written = draw_all("clouds", usual(cells), removed, tmp_path / "x.json")
    assert [path.name for path in written] == ["x-accuracy.png", "x-cost.png", "x-refusal.png", "x-removal.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert not list(tmp_path.glob("*.part.png"))
