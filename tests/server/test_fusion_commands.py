"""The command that lists the rules of fusion and chooses one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from federated.errors import ConsiliumError
from federated.fusion.rules import RULES
from server.commands import app
from server.home import CoordinatorHome

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.conftest import World


@pytest.fixture
def home(world: World) -> Path:
    return world.coordinator.home.path


def _run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["fusion", *arguments, "--home", str(home)], catch_exceptions=False)


def test_all_rules_are_listed_with_a_star_at_the_chosen_one(home: Path) -> None:
    lines = _run(home).output.splitlines()
    assert [line.split()[1] for line in lines if line.split()[0] == "*"] == ["closed-form"]
    assert all(any(name in line for line in lines) for name in RULES)


def test_a_program_reads_json(home: Path) -> None:
    rows = json.loads(_run(home, "--json").output)
    assert [row["rule"] for row in rows] == list(RULES)
    assert [row["rule"] for row in rows if row["chosen"]] == ["closed-form"]
    assert next(row["needs"] for row in rows if row["rule"] == "gated") == ["features", "weights"]


def test_a_choice_is_kept_and_the_rest_of_the_configuration_stays(home: Path) -> None:
    before = CoordinatorHome(home).config
    said = _run(home, "max-softmax").output
    assert "the next candidate is made by max-softmax" in said
    assert "it needs statistics and weights of the sites" in said
    assert CoordinatorHome(home).config == before.model_copy(update={"fusion": "max-softmax"})


def test_a_rule_that_there_is_not_is_one_line(home: Path) -> None:
    with pytest.raises(ConsiliumError, match="'average' is no rule"):
        _run(home, "average")
    assert CoordinatorHome(home).config.fusion == "closed-form"
