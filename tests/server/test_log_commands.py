from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from federated.log.verification import verify_log
from server.commands import app
from server.event import run_event

if TYPE_CHECKING:
    from tests.server.conftest import World


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, world: World) -> Callable[..., Any]:
    monkeypatch.setenv("COLUMNS", "160")
    home = world.coordinator.home.path
    return lambda *words: CliRunner().invoke(app, ["log", *(str(word) for word in words), "--home", str(home)])


@pytest.fixture
def happened(world: World) -> World:
    ada, ben = world.join("ada"), world.join("ben")
    ada.put(ada.statistics())
    ben.put(ben.statistics())
    run_event(world.coordinator, world)
    return world


def test_what_happened_is_shown(happened: World, run: Callable[..., Any]) -> None:
    result = run("--last", "4")
    assert result.exit_code == 0
    first, *rows = result.stdout.splitlines()
    assert first == "13 entries, the first 13 witnessed by ada, ben"
    assert [row.split()[0] for row in rows if row.strip()[:1].isdigit()] == ["9", "10", "11", "12"]
    assert "release" in result.stdout
    assert happened.members["ada"].releases[0].digest[7:19] in result.stdout


def test_a_program_gets_it_as_json(happened: World, run: Callable[..., Any]) -> None:
    found = json.loads(run("--json", "--last", "1").stdout)
    assert (found["entries"], found["witnessed"], found["by"]) == (13, 13, ["ada", "ben"])
    assert [entry["kind"] for entry in found["last"]] == ["adoption"]
    assert "envelope" not in found["last"][0]


def test_a_log_that_nobody_witnessed_says_so(run: Callable[..., Any]) -> None:
    assert run().stdout.splitlines()[0] == "1 entries, the first 0 witnessed by nobody"


def test_a_copy_is_verified_by_an_auditor(happened: World, run: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "for the auditor"
    result = run("--out", out)
    assert result.exit_code == 0
    assert "13 entries" in result.stdout
    checks = verify_log(out, happened.coordinator.trust(), witnesses=2)
    assert [check.ok for check in checks] == [True, True, True]
    assert checks[2].found == "13 in their order, 6 of them with a hospital's own signature; 1 releases"


def test_a_folder_that_is_there_stays(happened: World, run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    result = run("--out", tmp_path / "kept")
    assert "is already here; name a new folder" in str(result.exception)
    assert list((tmp_path / "kept").iterdir()) == []
    assert happened.coordinator.sites() == ["ada", "ben"]
