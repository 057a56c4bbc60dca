"""Every step of the coordinator, killed wherever it touches the disk: nothing is lost, and all ends as it would."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from federated.approval import sign_approval
from federated.canonical import digest
from federated.keys import fingerprint, public_hex
from federated.log.entries import checked, read_entry
from federated.log.journal import Journal
from federated.log.verification import verify_log
from server.coordinator import Coordinator
from server.event import run_event
from server.home import CoordinatorHome
from server.log import open_log
from server.registry import EntryRow
from tests.killing import contents, kills
from tests.server.conftest import World

Work = Callable[[Coordinator], object]
EVE, FAY = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (21, 22))
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
PLAN = b"""
version = 1
federation = "test"
name = "plan"
may_change = ["sites-added", "labels-added", "contributions", "hyperparameters"]

[[criteria]]
measure = "reporting-sites"
at_least = 1
"""


def _accept(world: World) -> Work:
    ada = world.join("ada")
    data = ada.seal(ada.statistics())
    return lambda coordinator: coordinator.accept(data)


def _enrol(world: World) -> Work:
    from tests.server.conftest import Site

    site = Site("ada", world.coordinator)
    path, told = world.request(site), fingerprint(bytes.fromhex(public_hex(site.key)))
    return lambda coordinator: coordinator.enrol(path, told)


def _revoke(world: World) -> Work:
    world.join("ada")
    return lambda coordinator: coordinator.revoke("ada")


def _propose(world: World) -> Work:
    _accept(world)(world.coordinator)
    return lambda coordinator: coordinator.propose()


def _reported(world: World) -> World:
    """With a candidate and a report on it."""
    _propose(world)(world.coordinator)
    ada = world.members["ada"]
    for parcel in world.coordinator.outgoing("ada"):
        ada.take(parcel.to_bytes())
    for data in ada.outbox.values():
        world.coordinator.accept(data)
    return world


def _release(world: World) -> Work:
    _reported(world)
    return lambda coordinator: coordinator.release()


def _released(world: World) -> World:
    ada = world.join("ada")
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    return world


def _recall(world: World) -> Work:
    _released(world)
    return lambda coordinator: coordinator.recall(1, "an image was labelled wrongly")


def _withdraw(world: World) -> Work:
    sent = _released(world).coordinator.status()["sites"][0]["contributions"][0]["digest"]
    data = world.members["ada"].seal(world.members["ada"].withdrawal(sent))
    return lambda coordinator: coordinator.accept(data)


def _hand_over(world: World) -> Work:
    _release(world)(world.coordinator)
    return lambda coordinator: [parcel.to_bytes() for parcel in coordinator.outgoing("ada")]


def _cosign(world: World) -> Work:
    ada = world.join("ada")
    asked, *told = world.coordinator.unwitnessed(["ada"])["ada"]
    answer = ada.witness(asked, told)
    return lambda coordinator: coordinator.take_cosignature("ada", answer)


def _pin(world: World) -> Work:
    world.coordinator.add_approver("eve", public_hex(EVE))
    return lambda coordinator: coordinator.pin_plan(PLAN)


def _approve(world: World) -> Work:
    for name, key in (("eve", EVE), ("fay", FAY)):
        world.coordinator.add_approver(name, public_hex(key))
    world.coordinator.pin_plan(PLAN)
    _reported(world)
    approval = sign_approval(world.coordinator.assess(), EVE)
    return lambda coordinator: coordinator.approve(approval)


def _approved(world: World) -> Work:
    _approve(world)(world.coordinator)
    world.coordinator.approve(sign_approval(world.coordinator.assess(), FAY))
    return lambda coordinator: coordinator.release()


STEPS: dict[str, tuple[Callable[[World], Work], int]] = {
    "enrol": (_enrol, 30),
    "revoke": (_revoke, 10),
    "accept": (_accept, 30),
    "propose": (_propose, 30),
    "release": (_release, 30),
    "hand over": (_hand_over, 20),
    "recall": (_recall, 30),
    "withdraw": (_withdraw, 40),
    "cosign": (_cosign, 10),
    "pin a plan": (_pin, 20),
    "approve": (_approve, 20),
    "release what was approved": (_approved, 30),
}


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(each) for key, each in value.items() if key != "log"}
    if isinstance(value, list | tuple):
        return [_timeless(each) for each in value]
    return "then" if isinstance(value, str) and TIME.fullmatch(value) else value


def _facts(coordinator: Coordinator) -> list[dict[str, Any]]:
    with coordinator.registry.transaction() as session:
        return [json.loads(row) for row in session.scalars(select(EntryRow.facts).order_by(EntryRow.id))]


def _outcome(folder: Path) -> Any:
    """Everything that should be the same in the end, whenever it happened."""
    coordinator = Coordinator(CoordinatorHome(folder))
    status = {key: value for key, value in coordinator.status().items() if key != "events"}  # also of what came twice
    return _timeless([_facts(coordinator), status])


def _require_whole(folder: Path, logged: list[bytes]) -> None:
    """After a kill, first of all: the log tells what it told, an auditor finds nothing wrong, and no file is torn."""
    home = CoordinatorHome(folder)
    entries = list(Journal(home.log_path, "consilium/test").entries())
    assert entries[: len(logged)] == logged
    assert [check.found for check in verify_log(home.log_path, home.trust(), witnesses=0) if check.ok is False] == []
    for name, data in contents(home.artefacts_path).items():
        assert digest(data).removeprefix("sha256:") == "".join(Path(name).parts[1:]), name


def _require_same(folder: Path) -> None:
    """The log is the registry's rows, one by one."""
    coordinator = Coordinator(CoordinatorHome(folder))
    logged = [read_entry(data).predicate for data in open_log(coordinator.home).entries()]
    assert logged == [checked(facts, "test") for facts in _facts(coordinator)]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_killed_anywhere_loses_nothing_and_ends_the_same(tmp_path: Path, step: str) -> None:
    prepare, least = STEPS[step]
    work = prepare(World(tmp_path))
    before = tmp_path / "hub"
    logged = list(open_log(CoordinatorHome(before)).entries())
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(before, undisturbed)
    begin = time.monotonic()
    work(Coordinator(CoordinatorHome(undisturbed)))
    wanted = _outcome(undisturbed)
    assert time.monotonic() - begin < 20

    for after in kills(before, lambda folder: work(Coordinator(CoordinatorHome(folder))), least):
        _require_whole(after, logged)
        work(Coordinator(CoordinatorHome(after)))
        _require_same(after)
        assert _outcome(after) == wanted
        _require_whole(after, logged)


def test_what_was_handed_over_is_handed_over_again_byte_by_byte(tmp_path: Path) -> None:
    """A number that a site may have seen is not used for anything else."""
    work = _hand_over(World(tmp_path))
    seen = tmp_path / "seen"
    shutil.copytree(tmp_path / "hub", seen)
    work(Coordinator(CoordinatorHome(seen)))  # and killed before it could be told that they arrived
    first, again = (work(Coordinator(CoordinatorHome(seen))) for _ in range(2))
    assert first == again
    assert first
