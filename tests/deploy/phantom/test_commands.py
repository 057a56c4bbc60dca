"""The commands as real processes: what they write, how they are stopped, and what they refuse in one line."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image

import consilium
from deploy.phantom.commands import app
from deploy.phantom.export import EXPORTS
from deploy.phantom.provenance import read_provenance
from deploy.phantom.workplace import NOTES
from shared_models.phantom.hospitals import HOSPITALS
from shared_models.phantom.machines import MACHINES
from shared_models.phantom.population import POPULATIONS
from tests.conftest import QUIET

PROGRAM = [sys.executable, "-m", "consilium", "phantom"]
MANY = ("generate", "--site", "north", "--views", "A4C", "--patients", "60", "--size", "64", "--truth")
Tree = Callable[[Path], dict[str, bytes]]


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **QUIET})


def _stopped(number: signal.Signals, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command, sent a signal once some patients are there."""
    command = [*PROGRAM, *MANY, "--out", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **QUIET}) as process:
        until = time.monotonic() + 60
        while len(list(folder.glob(f"{NOTES}/*.json"))) < 5 and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, "", error)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "out"
    assert _run(*MANY, "--out", folder).returncode == 0
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_it_leaves_whole_files_and_goes_on_to_the_same_bytes(
    number: signal.Signals, tmp_path: Path, whole: Path, tree: Tree
) -> None:
    stopped = _stopped(number, tmp_path / "out")
    if number == signal.SIGKILL:
        assert stopped.returncode == -signal.SIGKILL
    else:
        assert stopped.returncode == 130
        assert stopped.stderr.startswith("interrupted; the same command again goes on")
        assert "Traceback" not in stopped.stderr
        assert not list(tmp_path.rglob("*.part"))
    partial, complete = tree(tmp_path / "out"), tree(whole)
    done = [name for name in partial if name.startswith("images/")]
    assert 5 <= len(done) < 60
    assert all(partial[name] == complete[name] for name in done), "each of them whole"
    assert "index.csv" not in partial
    again = _run(*MANY, "--out", tmp_path / "out")
    assert again.returncode == 0, again.stderr
    assert "of them there before" in again.stdout
    assert tree(tmp_path / "out") == complete


def test_another_seed_in_the_same_folder_is_refused_and_changes_nothing(whole: Path, tree: Tree) -> None:
    before = tree(whole)
    result = _run(*MANY, "--seed", 2, "--out", whole)
    assert (result.returncode, result.stderr) == (
        1,
        f"consilium: {whole}: was made with seed 1, not 2; choose another folder\n",
    )
    assert tree(whole) == before


def test_the_federation_is_six_hospitals_in_one_index(tmp_path: Path) -> None:
    result = _run("federation", "--patients", 1, "--size", 48, "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    with (tmp_path / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    sites = list(dict.fromkeys(row["site"] for row in rows))
    assert sites == ["agate", "beryl", "citrine", "diorite", "onyx", "quartz"]
    assert {row["split"] for row in rows if row["site"] in {"onyx", "quartz"}} == {"test"}
    for row in rows:
        with Image.open(tmp_path / row["path"]) as image:
            assert image.size == (48, 48)


def test_an_export_says_what_it_made(tmp_path: Path) -> None:
    result = _run("export", "--as", "unity", "--patients", 1, "--size", 64, tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert "phantom" in result.stdout
    assert "no patient" in result.stdout
    said = read_provenance(tmp_path / "out")
    assert said
    assert said.files == len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) - 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("generate", "--site", "n", "--views", "A9C"), "--views: there is no view 'A9C'; known are A2C, A3C"),
        (("generate", "--site", "North"), "--site: 'North' is no name"),
        (("generate", "--site", "n", "--machine", "acme"), "--machine: there is no machine 'acme'; known are "),
        (("generate", "--site", "n", "--machine", "sanderling"), "--machine: 'sanderling' is made for muscle"),
        (("generate", "--site", "n", "--population", "martian"), "--population: there is no 'martian'"),
        (("generate", "--site", "n", "--ejection-fraction", "95"), "--ejection-fraction: ejection fraction of 95 %"),
        (("generate", "--site", "n", "--wall", "60"), "--wall: septal_wall of 60 mm is thicker than the heart"),
        (("generate", "--site", "n", "--wall", "-1"), "--wall: septal_wall of -1 is no measure of a heart"),
        (("generate", "--site", "n", "--patients", "0"), "--patients: 0 is not from 1"),
        (("generate", "--site", "n", "--frames", "0"), "--frames: 0 is not from 1"),
        (("federation", "--patients", "0"), "--patients: 0 is not from 1"),
    ],
)
def test_what_cannot_be_made_is_one_line(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["consilium", "phantom", *arguments, "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stop:
        consilium.main()
    assert stop.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith(f"consilium: {says}")
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_help_names_all_there_is_to_choose_from() -> None:
    commands: Any = typer.main.get_command(app)
    told = {
        f"{command} --{option.name}": set(re.findall(r"[a-z][a-z0-9-]+", option.help or ""))
        for command in ("generate", "export")
        for option in commands.commands[command].params
    }
    cardiac = {name for name, machine in MACHINES.items() if machine.geometry != "linear"}
    assert told["generate --site"] >= set(HOSPITALS)
    assert told["generate --population"] >= set(POPULATIONS)
    assert told["generate --machine"] >= cardiac
    assert told["export --layout"] >= set(EXPORTS)


def test_an_unknown_layout_and_a_strangers_folder_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for layout, says in (("dicomm", "there is no layout 'dicomm'; known are "), ("unity", "is not empty and holds no")):
        result = _run("export", "--as", layout, tmp_path)
        assert result.returncode == 1
        assert says in result.stderr
        assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
