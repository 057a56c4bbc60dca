from __future__ import annotations

from pathlib import Path

import typer
from typer.testing import CliRunner

from server.options import HERE, Home, Json


def test_the_home_is_here_unless_said() -> None:
    app = typer.Typer()
    found: list[tuple[Path, bool]] = []

    @app.command()
    def command(home: Home = HERE, as_json: Json = False) -> None:
        found.append((home, as_json))

    runner = CliRunner()
    assert runner.invoke(app, []).exit_code == runner.invoke(app, ["--home", "x", "--json"]).exit_code == 0
    assert found == [(Path("coordinator"), False), (Path("x"), True)]
