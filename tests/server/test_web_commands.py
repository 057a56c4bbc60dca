from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from federated.errors import ConsiliumError
from server.web_commands import app

if TYPE_CHECKING:
    from tests.server.conftest import World


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def test_nobody_is_let_in_until_somebody_is(world: World) -> None:
    found = _run("--home", str(world.coordinator.home.path))
    assert isinstance(found.exception, ConsiliumError)
    assert "nobody is let in" in str(found.exception)


def test_a_token_is_told_once_and_listed_without_it(world: World) -> None:
    home = str(world.coordinator.home.path)
    token = _run("token", "add", "eve", "--home", home).stdout.strip()
    assert token.startswith("consilium_")
    assert token.encode() not in (world.coordinator.home.path / "access.toml").read_bytes()
    listed = _run("token", "list", "--home", home).stdout
    assert "eve" in listed
    assert token not in listed


def test_the_pages_are_opened_at_the_door(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    monkeypatch.setattr("federated.web.serving.serve", lambda app, door, **_: opened.append((app, door)))
    found = _run("--home", str(world.coordinator.home.path), "--open", "--port", "8765")
    assert found.exit_code == 0, found.output
    ((_, door),) = opened
    assert (door.host, door.port) == ("127.0.0.1", 8765)


def test_a_folder_that_is_no_home_is_one_line(tmp_path: Any) -> None:
    found = _run("--home", str(tmp_path), "--open")
    assert isinstance(found.exception, ConsiliumError)
