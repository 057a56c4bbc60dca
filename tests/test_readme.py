"""What the documentation names exists: commands, options, make targets, files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main

import consilium

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
INLINE = re.compile(r"`((?:consilium|make) [^`]+)`")
BLOCK = re.compile(r"^(?: {4}|\$ )?((?:consilium|make) .+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def _lines(page: Path) -> list[str]:
    """Commands in code spans and in indented or fenced blocks, continued lines joined."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return [*INLINE.findall(text), *(line for line in BLOCK.findall(text) if not line.startswith("make sure"))]


def _commands(program: str) -> list[tuple[str, str]]:
    return [(page.name, line) for page in PAGES for line in _lines(page) if line.startswith(f"{program} ")]


def _resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and the words that are left."""
    command: Any = typer.main.get_command(consilium.app)
    while words and isinstance(command, click.Group) and words[0][0].isalpha():
        name = words.pop(0)
        group = consilium.GROUPS.get(name) if isinstance(command, consilium.LazyGroup) else None
        command = typer.main.get_group(group.load()) if group else command.commands[name]
    return command, words


def _options(command: click.Command) -> set[str]:
    return {"--help", *(name for option in command.params for name in (*option.opts, *option.secondary_opts))}


def test_the_pages_name_commands() -> None:
    assert {page for page, _ in _commands("consilium")} >= {"README.md", "hospital.md", "coordinator.md", "audit.md"}


@pytest.mark.parametrize(("page", "line"), _commands("consilium"))
def test_every_command_and_option_exists(page: str, line: str) -> None:
    words = shlex.split(line.partition(" #")[0].replace("…", ""))[1:]
    try:
        command, rest = _resolve(words)
    except KeyError as error:
        pytest.fail(f"{page}: no command {error} in: {line}")
    named = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert named <= _options(command), f"{page}: {line}"


@pytest.mark.parametrize(("page", "line"), _commands("make"))
def test_every_target_exists(page: str, line: str) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    assert shlex.split(line)[1] in targets, f"{page}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    broken = [target for target in LINK.findall(text) if not (page.parent / target).exists()]
    assert not broken


def test_the_map_of_the_house_names_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text, flags=re.MULTILINE)
    rooms = {part.partition("\n")[0]: part for part in section}
    for room in ("federated", "shared_models", "site_agent", "server", "deploy"):
        modules = {path.relative_to(ROOT / room).as_posix() for path in (ROOT / room).rglob("*.py")}
        wanted = {module for module in modules if not module.endswith("__init__.py")}
        named = set(re.findall(r"`([a-z0-9_/]+\.py)`", rooms[room]))
        assert named - wanted == set(), f"{room}: named, but not there"
        assert wanted - named == set(), f"{room}: not named"
