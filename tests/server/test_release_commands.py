"""The change plan at the command line: a table of every criterion, one line on refusal, two approvers, a release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from federated.canonical import digest
from federated.commands import app as audit
from federated.errors import ConsiliumError
from federated.keys import create_private_key, fingerprint, public_hex, spoken_fingerprint
from federated.log.verification import entries_of, verify_log
from server.change_plans import PlanError
from server.commands import app
from server.event import run_event

if TYPE_CHECKING:
    from tests.server.conftest import World

PLAN = """
version = 1
federation = "test"
name = "first-year"
may_change = ["contributions", "hyperparameters"]

[[criteria]]
measure = "balanced-accuracy"
each = "site"
at_least = 0.2

[[criteria]]
measure = "calibrated-sites"
at_least = 1
"""
Here = tuple[str, str]


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def here(world: World) -> Here:
    return "--home", str(world.coordinator.home.path)


@pytest.fixture
def people(world: World, tmp_path: Path, here: Here) -> dict[str, Path]:
    """Two approvers with their private keys."""
    keys = {}
    for name in ("eve", "fay"):
        key = create_private_key(tmp_path / f"{name}.pem")
        (tmp_path / f"{name}.pub").write_text(public_hex(key))
        _run("approver", "add", name, "--key", tmp_path / f"{name}.pub", *here)
        keys[name] = tmp_path / f"{name}.pem"
    return keys


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "change-plan.toml"
    path.write_text(PLAN)
    return path


def _arrive(world: World, *names: str) -> None:
    for name in names:
        site = world.join(name)
        site.put(site.statistics())
    run_event(world.coordinator, world)


def test_a_release_from_plan_to_log(world: World, here: Here, people: dict[str, Path], plan: Path) -> None:
    assert "is pinned: no release without it, and without two approvals" in _run("plan", plan, *here)
    assert _run("plan", *here) == PLAN
    _arrive(world, "ada", "ben")
    for name, path in people.items():
        assert f"{name} approves candidate " in _run("approve", "--key", path, *here)
    said = _run("release", "--plan", plan, *here)
    assert [line.split()[-1] for line in said.splitlines() if line.strip().startswith(("balanced", "calibrated"))] == [
        "met"
    ] * 2
    assert "approved by: eve, fay" in said
    assert "changed since the release before: nothing" in said
    assert "release " in said.splitlines()[-1]
    entry = list(entries_of(world.coordinator.home.log_path, "test"))[-1]
    assert (entry.event, entry.plan, len(entry.approvals)) == ("release", digest(PLAN.encode()), 2)


def test_an_approver_signs_far_from_the_coordinator(
    world: World, here: Here, people: dict[str, Path], plan: Path, tmp_path: Path
) -> None:
    _run("plan", plan, *here)
    _arrive(world, "ada")
    figures = tmp_path / "figures.json"
    assert "an approver signs it: consilium audit approve figures.json" in _run("approve", "--figures", figures, *here)
    for name, key in people.items():
        signed = tmp_path / f"{name}.approval"
        words = [str(word) for word in ("approve", figures, "--plan", plan, "--key", key, "--out", signed)]
        shown = CliRunner().invoke(audit, words, catch_exceptions=False)
        assert shown.exit_code == 0, shown.output
        assert "balanced-accuracy" in shown.output
        assert f"{name} approves candidate " in _run("approve", "--approval", signed, *here)
    assert "release " in _run("release", *here).splitlines()[-1]
    with pytest.raises(ConsiliumError, match="two ways to approve"):
        _run("approve", "--key", people["eve"], "--approval", tmp_path / "eve.approval", *here)


@pytest.mark.parametrize("pinned", ["before", "after", "never"])
def test_a_plan_that_is_not_declared_before_is_told_at_every_step(
    world: World, here: Here, people: dict[str, Path], plan: Path, pinned: str
) -> None:
    site, note = world.join("ada"), "was made before this plan was pinned"
    world.coordinator.accept(site.seal(site.statistics()))
    early = _run("plan", plan, *here) if pinned == "before" else ""
    world.coordinator.propose()
    for parcel in world.coordinator.outgoing("ada"):
        site.take(parcel.to_bytes())
    world.coordinator.accept_all(list(site.outbox.values()))
    late = _run("plan", plan, *here) if pinned == "after" else ""
    given = ("--plan", plan) if pinned == "never" else ()
    declared = pinned == "before"
    assert (note in early, note in late) == (False, pinned == "after")
    assert json.loads(_run("approve", *given, *here, "--json"))["declared"] is declared
    for key in people.values():
        assert (note in _run("approve", "--key", key, *given, *here)) is not declared
    said = _run("release", *given, *here)
    assert (note in said, "which the next contribution makes" in said) == (not declared, not declared)
    checks = verify_log(world.coordinator.home.log_path, world.coordinator.trust(), witnesses=0)
    assert ("plans" in [check.name for check in checks]) is not declared


def test_a_failing_criterion_is_a_row_and_one_line(
    world: World, here: Here, people: dict[str, Path], plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan.write_text(PLAN.replace("at_least = 1", "at_least = 9"))
    _run("plan", plan, *here)
    _arrive(world, "ada")
    shown = _run("approve", *here)
    assert "calibrated-sites" in shown
    assert "FAILS" in shown
    for arguments in (("approve", "--key", people["eve"]), ("release",)):
        with pytest.raises(PlanError) as caught:
            _run(*arguments, *here)
        assert str(caught.value).startswith("change plan: calibrated-sites of all is ")
        assert "needed >= 9; nothing is released; see the table of criteria" in str(caught.value)
    assert [entry.event for entry in entries_of(world.coordinator.home.log_path, "test")].count("release") == 0


def test_a_substantial_change_is_said_to_be_one(world: World, here: Here, people: dict[str, Path], plan: Path) -> None:
    _run("plan", plan, *here)
    _arrive(world, "ada", "ben")
    for path in people.values():
        _run("approve", "--key", path, *here)
    _run("release", *here)
    _arrive(world, "cem")
    assert "not in the plan: sites-added" in _run("approve", *here)
    with pytest.raises(PlanError, match="sites-added changed, which it does not allow"):
        _run("approve", "--key", people["eve"], *here)
    for path in people.values():
        _run("approve", "--key", path, "--substantial", *here)
    with pytest.raises(PlanError, match="sites-added changed"):
        _run("release", *here)
    assert "release " in _run("release", "--substantial", *here).splitlines()[-1]


def test_what_programs_read(world: World, here: Here, people: dict[str, Path], plan: Path) -> None:
    _run("plan", plan, *here)
    _arrive(world, "ada")
    _run("approve", "--key", people["eve"], *here)
    found = json.loads(_run("approve", "--json", *here))
    assert (found["approved_by"], found["findings"][0]["ok"], found["outside"]) == (["eve"], True, [])
    _run("approve", "--key", people["fay"], *here)
    made = json.loads(_run("release", "--json", *here))
    assert made["release"] == world.coordinator.status()["releases"][0]["digest"]
    assert made["assessment"]["plan"] == digest(PLAN.encode())


def test_approvers_come_and_go(world: World, here: Here, people: dict[str, Path], tmp_path: Path) -> None:
    stranger = Ed25519PrivateKey.generate()
    listed = json.loads(_run("approver", "list", "--json", *here))
    assert sorted(listed) == ["eve", "fay"]
    assert spoken_fingerprint(fingerprint(bytes.fromhex(listed["eve"]))) in _run("approver", "list", *here)
    assert "fay approves releases no more" in _run("approver", "end", "fay", *here)
    assert sorted(world.coordinator.approvers()) == ["eve"]
    (tmp_path / "ada.pub").write_text(public_hex(world.join("ada").key))
    with pytest.raises(ConsiliumError, match="this key is in use already"):
        _run("approver", "add", "gus", "--key", tmp_path / "ada.pub", *here)
    assert public_hex(stranger) not in world.coordinator.approvers().values()


def test_without_a_plan_a_release_is_as_before(world: World, here: Here) -> None:
    with pytest.raises(ConsiliumError, match="no change plan is pinned; consilium coordinator plan FILE"):
        _run("plan", *here)
    site = world.join("ada")
    world.coordinator.accept(site.seal(site.statistics()))
    assert _run("release", "--candidate", *here).startswith("candidate ")
    assert _run("release", *here).startswith("release ")
