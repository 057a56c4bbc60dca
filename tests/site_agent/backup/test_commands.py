"""`consilium site backup` and `restore`: asked for a passphrase, or told one in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from site_agent.home import SiteHome

if TYPE_CHECKING:
    from tests.site_agent.conftest import Run


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words"
    path.write_text("correct horse battery\r\nand a note\n")
    return path


def test_there_and_back(home: SiteHome, run: Run, words: Path, tmp_path: Path) -> None:
    result = run("backup", "home.backup", "--passphrase-file", words)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("wrote home.backup: ")
    assert result.out.endswith("bytes, encrypted\n")
    result = run("restore", "home.backup", "--home", "again", "--passphrase-file", words)
    assert result.code == 0, result.err
    assert result.out.startswith("made again: site ada of federation test as of 20")
    assert "never let this home and the one it was made of both work" in result.out
    assert SiteHome(tmp_path / "again").secret() == home.secret()


def test_a_plain_one_says_what_it_gives_away(home: SiteHome, run: Run) -> None:
    assert "NOT encrypted: who reads it has the site's keys" in run("backup", "home.tar", "--plain").out
    again = run("restore", "home.tar", "--home", "again", "--json")
    assert (again.json["site"], again.json["version"]) == ("ada", 1)
    assert run("backup", "other.tar", "--plain", "--json").json["encrypted"] is False


def test_it_is_typed_twice_and_never_shown(
    home: SiteHome, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def prompt(text: str, **how: bool) -> str:
        asked.append((text, how))
        return "correct horse battery"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(typer, "prompt", prompt)
    assert run("backup", "home.backup").code == 0
    assert run("restore", "home.backup", "--home", "again").code == 0
    new, old = ({"hide_input": True, "confirmation_prompt": each} for each in (True, False))
    assert asked == [("passphrase", new), ("passphrase", old)]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["backup", "x"], "the passphrase: there is nobody to ask for one; name a file with --passphrase-file, or"),
        (["backup", "x", "--passphrase-file", "missing"], "missing: cannot be read"),
        (["backup", "x", "--plain", "--passphrase-file", "words"], "--plain: does not go with a passphrase"),
        (["restore", "words", "--home", "again"], "words: is no backup of a site"),
        (["restore", "missing", "--home", "again"], "missing: cannot be read"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], line: str, home: SiteHome, run: Run, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    result = run(*arguments)
    assert result.code == 1
    assert result.err.startswith(f"consilium: {line}")
    assert result.err.count("\n") == 1
