"""The harness adds where a measurement comes from, prints it and writes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from rich.console import Console

from benchmarks import __main__ as harness
from benchmarks.claims import Measured, Result, at_most, read_result
from benchmarks.incremental.suites import SUITES
from federated.errors import ConsiliumError

MEASURED = Measured(rows=({"table": "times", "images": 10, "seconds": 0.25},), claims=(at_most("solve", 1.0, "s", 2),))


def test_a_benchmark_is_measured_printed_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[bool] = []

    def measure(quick: bool) -> Measured:
        asked.append(quick)
        return MEASURED

    monkeypatch.setitem(harness.BENCHMARKS, "spine", measure)
    harness.main("spine", tmp_path / "spine.json", quick=True)
    result = read_result(tmp_path / "spine.json")
    assert asked == [True]
    assert (result.rows, result.claims, result.quick) == (MEASURED.rows, MEASURED.claims, True)
    assert result.commit != "unknown"
    assert int(result.machine["cores"]) >= 1
    assert "solve" in capsys.readouterr().out


def test_a_tree_that_has_changed_is_told_from_the_commit_and_from_another_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = ""
    monkeypatch.setattr(harness, "_git", lambda command, *_: "abc" if command == "rev-parse" else changed)
    assert harness.commit() == "abc"
    changed = "one"
    first = harness.commit()
    changed = "other"
    assert first.startswith("abc+")
    assert harness.commit() not in {"abc", first}
    monkeypatch.setattr(harness, "_git", lambda *_: "")
    assert harness.commit() == "unknown"


def test_a_gallery_is_handed_to_the_benchmark_that_reads_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[bool, Path]] = []

    def measure(quick: bool, gallery: Path) -> Measured:
        asked.append((quick, gallery))
        return MEASURED

    monkeypatch.setitem(harness.BENCHMARKS, "phantom_transfer", measure)
    (tmp_path / "index.csv").write_text("path,view\n", encoding="utf-8")
    harness.main("phantom-transfer", tmp_path / "x.json", quick=True, gallery=tmp_path)
    assert asked == [(True, tmp_path)]
    assert read_result(tmp_path / "x.json").name == "phantom_transfer"


@pytest.mark.parametrize(("name", "why"), [("spine", "read a gallery"), ("phantom_transfer", "has no index.csv")])
def test_a_gallery_in_the_wrong_place_is_told_in_words(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(typer.BadParameter, match=why):
        harness.main(name, tmp_path / "x.json", gallery=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_table_shows_rows_and_verdicts() -> None:
    console = Console(width=120)
    result = Result(name="x", quick=True, commit="c", machine={}, **dict(MEASURED))
    with console.capture() as captured:
        harness.print_result(result, console)
    assert "0.25" in captured.get()
    assert "holds" in captured.get()


def test_an_unknown_benchmark_is_told_in_words(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "nothing", "--json", str(tmp_path / "x.json")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "is none of spine" in " ".join(result.stderr.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_make_bench_measures_every_short_benchmark_and_make_contest_every_long_one() -> None:
    makefile = (Path(__file__).resolve().parents[2] / "Makefile").read_text(encoding="utf-8")
    named = dict(
        line.split(" ?= ")
        for line in makefile.splitlines()
        if line.startswith(("BENCHMARKS ?=", "SUITES ?=", "IN_CELLS ?="))
    )
    long = (*harness.OF_A_SUITE, *harness.IN_CELLS)
    assert named["BENCHMARKS"].split() == [name for name in harness.BENCHMARKS if name not in long]
    assert named["IN_CELLS"].split() == list(harness.IN_CELLS)
    assert named["SUITES"].split() == list(SUITES)


def test_a_suite_is_handed_to_the_contest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def measure(quick: bool, **given: object) -> Measured:
        asked.append((quick, given))
        return MEASURED

    monkeypatch.setitem(harness.BENCHMARKS, "incremental", measure)
    file = tmp_path / "x.json"
    harness.main("incremental", file, suite="heart-table", seeds=3)
    assert asked == [(False, {"suite": "heart-table", "preset": "cpu", "seeds": 3, "file": file})]
    assert read_result(file).name == "incremental_heart_table"


@pytest.mark.parametrize(("preset", "name"), [("cpu", "reconstruction"), ("paper", "reconstruction_paper")])
def test_a_preset_is_handed_to_the_contest_of_reconstruction_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str, name: str
) -> None:
    asked: list[object] = []

    def measure(quick: bool, **given: object) -> Measured:
        asked.append((quick, given))
        return MEASURED

    monkeypatch.setitem(harness.BENCHMARKS, "reconstruction", measure)
    file = tmp_path / "x.json"
    harness.main("reconstruction", file, preset=preset)
    assert asked == [(False, {"preset": preset, "seeds": 3, "file": file})]
    assert read_result(file).name == name


def test_seeds_in_the_wrong_place_are_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match=r"only incremental, .*, federated_geometry have seeds"):
        harness.main("spine", tmp_path / "x.json", seeds=2)
    assert list(tmp_path.iterdir()) == []


def test_a_preset_in_the_wrong_place_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="only incremental, reconstruction have presets"):
        harness.main("spine", tmp_path / "x.json", preset="paper")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "suite", "why"), [("incremental", "", "needs one"), ("spine", "digits", "only incremental")]
)
def test_a_suite_in_the_wrong_place_is_told_in_words(tmp_path: Path, name: str, suite: str, why: str) -> None:
    with pytest.raises(typer.BadParameter, match=why):
        harness.main(name, tmp_path / "x.json", suite=suite)
    assert list(tmp_path.iterdir()) == []


def test_what_a_benchmark_refuses_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusing(quick: bool) -> Measured:
        raise ConsiliumError("has no rows", where="table.csv")

    monkeypatch.setitem(harness.BENCHMARKS, "spine", refusing)
    with pytest.raises(typer.Exit):
        harness.main("spine", tmp_path / "x.json")
    assert capsys.readouterr().err.strip() == "table.csv: has no rows"
    assert list(tmp_path.iterdir()) == []
