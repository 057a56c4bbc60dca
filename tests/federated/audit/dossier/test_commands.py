"""The folder that somebody who has to allow a federation asks for, made at the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from federated.commands import app
from federated.errors import ConsiliumError


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: CliRunner().invoke(app, ["dossier", *map(str, arguments)])


def test_a_folder_is_written(bundle: Path, trust: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    statements = tmp_path / "statements.toml"
    statements.write_text('intended_use = "Naming views in a teaching collection."\nfunding = "None."\n')
    out = tmp_path / "dossier"
    result = run(bundle, "--out", out, "--trust", trust, "--statements", statements)
    assert result.exit_code == 0, result.exception
    assert sorted(path.name for path in out.iterdir()) == ["dossier.html", "dossier.md", "sbom.cdx.json"]
    text = (out / "dossier.md").read_text()
    assert text.startswith("# test: dossier of release 2\n")
    assert "| Intended use | Naming views in a teaching collection. |" in text
    assert "| Ethical approval and consent | **not stated** |" in text
    assert json.loads((out / "sbom.cdx.json").read_text())["specVersion"] == "1.6"
    lines = result.stdout.splitlines()
    assert lines[0].startswith("release 2 of test: The release is signed by 'hub' with ")
    assert "Ethical approval and consent" in lines[1]
    assert "Funding" not in lines[1]


def test_an_older_release_and_no_keys(bundle: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    result = run(bundle, "--out", tmp_path / "one", "--release", "1")
    assert result.stdout.startswith("release 1 of test: Keys unverified")
    text = (tmp_path / "one" / "dossier.md").read_text()
    assert "Keys unverified" in text
    assert "| sub |" not in text  # the third hospital's label


def test_twice_is_the_same(bundle: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    for name in ("one", "other"):
        assert run(bundle, "--out", tmp_path / name).exit_code == 0
    for name in ("dossier.md", "dossier.html", "sbom.cdx.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_mistakes_are_one_line(bundle: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('intended = "x"\n')
    (tmp_path / "a file").write_text("x")
    for arguments, words in (
        ((bundle, "--out", tmp_path / "o", "--release", "9"), "holds no release '9'; releases there are: 1, 2"),
        ((bundle, "--out", tmp_path / "o", "--statements", wrong), "known are intended_use"),
        ((bundle, "--out", tmp_path / "a file"), "cannot be written"),
        ((tmp_path / "missing", "--out", tmp_path / "o"), "missing"),
    ):
        result = run(*arguments)
        assert isinstance(result.exception, ConsiliumError), arguments
        assert words in str(result.exception)
        assert "\n" not in str(result.exception)
    assert not (tmp_path / "o").exists()
