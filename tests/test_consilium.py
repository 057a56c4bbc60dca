"""The command line answers at once, and a person's mistake is one line."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import time
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

import consilium
from federated.errors import ConsiliumError

PROGRAM = [sys.executable, "-m", "consilium"]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False, env=environment)


def _group_that_raises(error: BaseException) -> consilium.Group:
    app = typer.Typer()

    @app.command()
    def verify() -> None:
        raise error

    @app.callback()
    def group() -> None:
        """Raise."""

    return consilium.Group("Raises.", lambda: app)


def _seconds_of_help() -> float:
    start = time.perf_counter()
    assert _run("--help").returncode == 0
    return time.perf_counter() - start


def test_help_takes_less_than_a_second() -> None:
    assert min(_seconds_of_help() for _ in range(5)) < 1.0


def test_help_names_every_command() -> None:
    help_text = _run("--help").stdout
    for name in ("demo", "site", "coordinator", "audit", "phantom", "inspect", "predict"):
        assert f" {name} " in help_text
    assert "not for patient data" in help_text


def test_version_is_the_installed_one() -> None:
    assert _run("--version").stdout.strip() == f"consilium {version('consilium')}"


@pytest.mark.parametrize("group", consilium.GROUPS)
def test_help_of_a_group_comes_from_its_module(group: str) -> None:
    result = _run(group, "--help")
    assert result.returncode == 0, result.stderr
    assert len(consilium.GROUPS[group].load().registered_commands) >= 2


@pytest.mark.parametrize("group", consilium.GROUPS)
def test_every_command_and_parameter_is_explained(group: str) -> None:
    commands = typer.main.get_group(consilium.GROUPS[group].load()).commands
    texts = {name: command.help for name, command in commands.items()}
    for name, command in commands.items():
        texts |= {f"{name} {param.name}": getattr(param, "help", None) for param in command.params}
    assert not [name for name, text in texts.items() if not text]
    assert not [name for name, text in texts.items() if text and "[" in text], "brackets are taken for markup"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConsiliumError("no such key", where="keys.toml", cure="add it"), "keys.toml: no such key; add it"),
        (ConsiliumError("told\nin two lines"), r"told\nin two lines"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.png"), "a.png: No such file or directory"),
        (OSError(errno.ENOSPC, "No space left on device"), "[Errno 28] No space left on device"),
        (
            ModuleNotFoundError("no torch", name="torch"),
            "the package 'torch' is not installed; " + consilium.INSTALL,
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_one(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(consilium.GROUPS, "audit", _group_that_raises(error))
    monkeypatch.setattr(sys, "argv", ["consilium", "audit", "verify"])
    with pytest.raises(SystemExit) as stop:
        consilium.main()
    assert stop.value.code == 1
    assert capsys.readouterr().err == f"consilium: {line}\n"


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(consilium.GROUPS, "audit", _group_that_raises(ZeroDivisionError("ours")))
    monkeypatch.setattr(sys, "argv", ["consilium", "audit", "verify"])
    with pytest.raises(ZeroDivisionError):
        consilium.main()


def test_interrupted_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(consilium.GROUPS, "audit", _group_that_raises(KeyboardInterrupt()))
    monkeypatch.setattr(sys, "argv", ["consilium", "audit", "verify"])
    with pytest.raises(SystemExit) as stop:
        consilium.main()
    assert stop.value.code == 130


def test_an_unknown_command_is_told_without_a_traceback() -> None:
    result = _run("sitee")
    assert result.returncode == 2
    assert "No such command" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [("audit", "verify", "missing.json"), ("predict", "missing", "missing.csv")])
def test_a_missing_file_is_one_line(arguments: tuple[str, ...]) -> None:
    result = _run(*arguments)
    assert result.returncode in {1, 2}
    assert "Traceback" not in result.stderr
    assert "missing" in result.stderr


def test_extras_hold_what_their_people_need() -> None:
    extras = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    names = {extra: {re.split(r"[=>]", each)[0] for each in wanted} for extra, wanted in extras.items()}
    assert names["coordinator"] >= {"torch", "torchvision", "timm", "pillow"}, "a timm front end is made there, too"
    assert any(each.startswith("consilium[site,coordinator") for each in names["demo"]), (
        "the demonstration is both sides"
    )
    shared = set(extras["site"]) & set(extras["coordinator"])
    assert {re.split(r"[=>]", each)[0] for each in shared} == names["site"] & names["coordinator"], "one version each"
