"""The command's words are checked before anything is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.incremental import cells, run
from benchmarks.incremental.run import measure
from benchmarks.incremental.suite import Preset
from federated.errors import ConsiliumError
from tests.benchmarks.incremental.conftest import clouds


@pytest.mark.parametrize(
    ("suite", "preset", "seeds", "told"),
    [
        ("moon", "cpu", 5, "'moon' is none of phantom"),
        ("digits", "tpu", 5, "none of cpu"),
        ("digits", "cpu", 0, "1 or"),
    ],
)
def test_words_that_are_none_are_told_in_one_line(
    tmp_path: Path, suite: str, preset: str, seeds: int, told: str
) -> None:
    with pytest.raises(ConsiliumError, match=told) as refused:
        measure(quick=True, suite=suite, preset=preset, seeds=seeds, file=tmp_path / "x.json")
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_whole_contest_on_features(tmp_path: Path, preset: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {name: run.OF_FEATURES[name] for name in ("closed form", "joint ridge (AFL)")}
    for module in (cells, run):
        monkeypatch.setattr(module, "SUITES", {"clouds": clouds})
    monkeypatch.setattr(run, "WITHOUT_IMAGES", ("clouds",))
    monkeypatch.setattr(run, "OF_FEATURES", names)
    monkeypatch.setattr(run, "QUICK", preset)
    found = measure(quick=True, suite="clouds", preset="cpu", seeds=2, file=tmp_path / "x.json")
    assert len((tmp_path / "x.cells" / "contest.json").read_text(encoding="utf-8")) > 0
    assert len(list((tmp_path / "x.cells" / "cells").iterdir())) == 6  # two seeds, and a second order of the first
    assert any(row["contestant"] == "joint ridge (AFL)" for row in found.rows)
    assert "Preset cpu, quick, 2 seeds" in found.notes[0]
