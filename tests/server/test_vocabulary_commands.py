"""The commands that list what a change of the labels would touch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from federated.errors import ConsiliumError
from server.commands import app
from server.event import run_event
from server.home import CoordinatorHome

if TYPE_CHECKING:
    from tests.server.conftest import World


@pytest.fixture
def here(world: World) -> tuple[str, str]:
    """The home of a coordinator with one release."""
    ada = world.join("ada")
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    return "--home", str(world.coordinator.home.path)


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["vocabulary", *arguments], catch_exceptions=False)


def test_a_dry_run_lists_what_is_touched(here: tuple[str, str]) -> None:
    said = _run("rename", "plax", "399139001", "--dry-run", *here)
    assert said.exit_code == 0
    lines = said.output.splitlines()
    assert lines[:3] == [
        "rename plax -> 399139001",
        "concepts of the vocabulary: plax",
        "contributed under them: 8 patients, 16 images of 1 sites",
    ]
    assert lines[3].startswith("  ada: plax: 8 patients, 16 images; ")
    assert lines[4:8] == [
        "newest candidate: has them",
        "releases: 1; reports of: ada",
        "adopted by: ada (1)",
        "label maps: not known here; each site sees its own with consilium site labels",
    ]
    assert lines[8].startswith("1. the coordinator appends 399139001")


def test_a_program_reads_json(here: tuple[str, str]) -> None:
    found = json.loads(_run("merge", "plax", "a4c", "--into", "other", "--dry-run", "--json", *here).output)
    assert (found["change"]["before"], found["change"]["after"], found["releases"]) == (["plax", "a4c"], ["other"], [1])


@pytest.mark.parametrize("command", [("rename", "plax", "b"), ("merge", "plax", "a4c", "--into", "b")])
def test_without_a_dry_run_the_plan_is_shown_and_nothing_is_changed(
    here: tuple[str, str], world: World, command: tuple[str, ...]
) -> None:
    before = world.coordinator.home.vocabulary_path.read_bytes()
    with pytest.raises(ConsiliumError, match="nothing was changed: contributions would have to be made anew"):
        _run(*command, *here)
    assert world.coordinator.home.vocabulary_path.read_bytes() == before


def test_a_split_appends(here: tuple[str, str], world: World) -> None:
    parts = ("--into", "plax-av=zoomed on the aortic valve", "--into", "plax-all=not zoomed")
    codes = world.coordinator.home.vocabulary().codes
    assert _run("split", "plax", *parts, "--dry-run", *here).exit_code == 0
    assert world.coordinator.home.vocabulary().codes == codes
    said = _run("split", "plax", *parts, *here)
    assert "appended plax-av, plax-all; the next candidate and new kits bring them" in said.output
    found = CoordinatorHome(world.coordinator.home.path).vocabulary()
    assert found.codes == (*codes, "plax-av", "plax-all")
    assert (found.meaning("plax-av"), found.concepts[-1].parents) == ("zoomed on the aortic valve", ("plax",))


@pytest.mark.parametrize("text", ["b", "b=", "=meaning"])
def test_a_part_has_a_code_and_a_meaning(here: tuple[str, str], text: str) -> None:
    with pytest.raises(ConsiliumError, match="is not CODE=MEANING"):
        _run("split", "plax", "--into", text, "--into", "c=other", *here)


def test_a_code_has_the_form_of_one(here: tuple[str, str]) -> None:
    with pytest.raises(ConsiliumError, match=r"vocabulary rename: after\.0: 'a b' is no label"):
        _run("rename", "plax", "a b", "--dry-run", *here)
