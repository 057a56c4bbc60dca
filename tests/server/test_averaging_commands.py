"""The command that averages a model in rounds, but for Flower, which `tests/e2e` has."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from federated.errors import ConsiliumError
from server import averaging_commands
from server.averaging import AveragingSummary, run_average
from server.commands import app
from server.home import CoordinatorHome
from tests.server.conftest import World
from tests.server.test_averaging import Mean


def _in_process(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Sites in this process, in the place of Flower."""
    for name in ("ada", "ben", "cem"):
        world.join(name)

    def run(_: CoordinatorHome, _rounds: int, _listen: str | None, **_more: Any) -> AveragingSummary:
        return run_average(world.coordinator, world, Mean())

    monkeypatch.setattr(averaging_commands, "_run", run)
    return world


@pytest.fixture
def three(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    return _in_process(world, monkeypatch)


def _run(world: World, *arguments: str) -> Result:
    home = ["--home", str(world.coordinator.home.path)]
    return CliRunner().invoke(app, ["average", *arguments, *home], catch_exceptions=False)


def test_each_round_says_who_entered_and_what_was_wrong(three: World) -> None:
    cem = three.members["cem"]
    cem.answer = lambda opened: cem.update(opened, model="other")
    three.offline = {"ben"}
    said = _run(three, "--rounds", "1", "--least", "1").output.splitlines()
    assert said[0].startswith("run 1: linear_head by fedavg, ")
    assert said[1] == "round 1: ada (20 images)"
    assert said[2].startswith("  quarantined: cem, update: is round 1 of run 1 with 'other', wanted is")
    assert said[3].startswith("the global model is sha256:")


def test_a_program_reads_json(three: World) -> None:
    found = json.loads(_run(three, "--rounds", "2", "--strategy", "fedprox", "--proximal", "0.5", "--json").output)
    assert (found["strategy"], len(found["rounds"]), found["trouble"]) == ("fedprox", 2, "")
    manifest = three.coordinator.stored(found["finished"]).manifest
    assert (manifest.plan.proximal, manifest.plan.epochs, manifest.plan.labels) == (0.5, 1, ("plax", "a4c", "a2c"))


def test_a_network_of_images_is_begun_with_its_settings(three: World) -> None:
    for member in three.members.values():
        member.answer = lambda _: None
    with pytest.raises(ConsiliumError, match="updates of 0 sites"):
        _run(three, "--model", "small_resnet18", "--model-config", "side=8", "--model-config", "width=2")
    begun = three.coordinator.open_average()
    assert begun is not None
    assert begun.manifest.plan.config == {"classes": 3, "side": 8, "width": 2}


def test_a_federation_of_segmentation_trains_a_u_net_with_its_settings(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _in_process(make_world(task="segmentation"), monkeypatch)
    for member in world.members.values():
        member.answer = lambda _: None
    with pytest.raises(ConsiliumError, match="updates of 0 sites"):
        _run(world, "--rounds", "1", "--model-config", "side=16", "--model-config", "levels=2")
    begun = world.coordinator.open_average()
    assert begun is not None
    assert begun.manifest.plan.model == "unet"
    assert begun.manifest.plan.config == {"classes": 4, "side": 16, "width": 16, "levels": 2}
    with pytest.raises(ConsiliumError, match="no model 'linear_head' of segmentation is trained in rounds, there are"):
        _run(world, "--model", "linear_head")


def test_a_run_that_waits_ends_with_a_line_and_goes_on_with_the_same_command(three: World) -> None:
    three.offline = {"ada", "ben"}
    with pytest.raises(ConsiliumError, match="run 1: round 1 has updates of 1 sites, 2 are needed"):
        _run(three, "--rounds", "2")
    with pytest.raises(ConsiliumError, match="of another plan is waiting for updates; go on with its options"):
        _run(three, "--rounds", "3")
    three.offline = set()
    assert "round 2: ada (20 images), ben (60 images), cem (40 images)" in _run(three, "--rounds", "2").output


def test_a_run_that_waits_can_be_ended(three: World) -> None:
    three.offline = {"ada", "ben"}
    with pytest.raises(ConsiliumError):
        _run(three)
    assert "run 1 is ended" in _run(three, "--stop").output
    assert three.coordinator.outgoing("ben") == []
    with pytest.raises(ConsiliumError, match="no run of rounds waits for updates"):
        _run(three, "--stop")
    three.offline = set()
    assert "run 2: linear_head" in _run(three, "--rounds", "1").output


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--task", "grading"), "--task grading: this federation learns 'classification'"),
        (
            ("--model", "cat"),
            "--model cat: no model 'cat' of classification is trained in rounds, there are linear_head",
        ),
        (("--model", "unet"), "no model 'unet' of classification is trained in rounds, there are linear_head, small_"),
        (("--model-config", "width=8"), "--model linear_head: no option 'width', there are: none"),
        (("--model", "small_resnet18", "--model-config", "width=wide"), "option 'width' is a whole number, not 'wide'"),
        (("--model", "small_resnet18", "--model-config", "width=3"), "--model: .*width"),
        (("--strategy", "median"), "average: strategy"),
        (("--strategy", "fedprox"), "fedprox needs a proximal term above 0"),
        (("--proximal", "0.1"), "fedprox needs a proximal term above 0"),
        (("--rounds", "0"), "average: rounds"),
        (("--least", "0"), "average: least"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(options: tuple[str, ...], reason: str, three: World) -> None:
    with pytest.raises(ConsiliumError, match=reason) as told:
        _run(three, *options)
    assert "\n" not in str(told.value)
    assert three.coordinator.open_average() is None
