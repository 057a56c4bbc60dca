from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import ArrayRecord, ConfigRecord, Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, FedProx
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from federated.averaging import StrategyName
from federated.contract import Scalar, Tensors
from federated.envelope import Opened
from federated.errors import ConsiliumError
from federated.keys import fingerprint, public_hex
from federated.manifest import parse_manifest
from server.averaging import AveragingSummary
from server.event import EventSummary, ExchangeRequest, Unreached, run_event
from server.flower_app import HOME_VARIABLE, STRATEGIES, FlowerRoute, read_answer, record_of
from server.flower_app import app as server_app
from shared_models.averaged_models import averaged_model
from site_agent.flower_app import app as courier
from site_agent.flower_executor import BundleRefusedError
from site_agent.service import Service, Settled
from tests.server.conftest import IMAGES, SHIFTS, Draft, Site, World
from tests.server.test_averaging import plan

DIGEST = "sha256:" + "0" * 64


def over_the_wire(message: Message, identifier: str) -> Message:
    """The message after Flower's own serialisation, under the identifier it would have there."""
    wire = {key: part.deflate() for key, part in get_all_nested_objects(message).items()}
    arrived = cast(Message, inflate_object_from_contents(message.object_id, wire))
    arrived.metadata.__dict__["_message_id"] = identifier
    return arrived


class FakeGrid(Grid):
    """Hands messages to a real ClientApp in this process, through Flower's serialisation."""

    def __init__(self, app: ClientApp, sockets: dict[str, Path]) -> None:
        self._app, self._count = app, itertools.count(1)
        self._replies: dict[str, Message] = {}
        self.keys = {site: site.encode() for site in sockets}
        self.offline: set[str] = set()
        self.leaving: set[str] = set()
        self.silent: set[str] = set()
        self._nodes = {
            number: (site, Context(1, number, {"socket": str(path)}, RecordDict(), {}))
            for number, (site, path) in enumerate(sockets.items(), start=100)
        }

    def set_run(self, run: Run) -> None:
        raise NotImplementedError

    @property
    def run(self) -> Run:
        raise NotImplementedError

    def create_message(self, *_args: Any, **_more: Any) -> Message:
        raise NotImplementedError

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        raise NotImplementedError

    def get_node_ids(self) -> Iterable[int]:
        return [node.node_id for node in self.get_nodes()]

    def get_nodes(self) -> Iterable[NodeInfo]:
        return [
            NodeInfo(node_id=number, public_key=self.keys[site], status="offline" if site in self.offline else "online")
            for number, (site, _) in self._nodes.items()
        ]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        return [self._deliver(message, f"m{next(self._count)}") for message in messages]

    def _deliver(self, message: Message, identifier: str) -> str:
        site, context = self._nodes[message.metadata.dst_node_id]
        arrived = over_the_wire(message, identifier)
        if site in self.leaving:
            self._replies[identifier] = Message(Error(code=5, reason="Node Unavailable"), reply_to=arrived)
        elif site not in self.silent:
            self._replies[identifier] = over_the_wire(self._app(arrived, context), f"r{identifier}")
        return identifier

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return [self._replies.pop(name) for name in list(message_ids) if name in self._replies]


@pytest.fixture(autouse=True)
def task(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message can be made by hand only inside a Flower task; this says that the test is one."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


def _agent(site: str) -> Callable[[list[bytes], Settled], list[bytes]]:
    def exchange(parcels: list[bytes], settled: Settled) -> list[bytes]:
        if b"please fail" in parcels:
            raise ConsiliumError("patient 4711 is in two splits")
        return [site.encode(), *parcels, repr(settled).encode()]

    return exchange


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[FakeGrid]:
    sites = ("east", "north", "south")
    with ExitStack() as stack:
        sockets = {}
        for site in sites:
            (tmp_path / site).mkdir()
            sockets[site] = stack.enter_context(Service(tmp_path / site, site, _agent(site))).socket
        yield FakeGrid(courier, sockets)


def _route(grid: FakeGrid, seconds: float = 20.0) -> FlowerRoute:
    return FlowerRoute(grid, grid.keys, seconds)


def _ask(*sites: str, parcels: tuple[bytes, ...] = ()) -> dict[str, ExchangeRequest]:
    return {site: ExchangeRequest(list(parcels), []) for site in sites}


def test_a_round_through_the_real_courier_and_agents(grid: FakeGrid) -> None:
    requests = {
        "east": ExchangeRequest([b"\x00\xff", b""], [(DIGEST, "accepted")]),
        "north": ExchangeRequest([], []),
    }
    assert _route(grid).exchange(requests) == {
        "east": [b"east", b"\x00\xff", b"", repr([(DIGEST, "accepted")]).encode()],
        "north": [b"north", b"[]"],
    }


def test_only_enrolled_sites_that_are_online_can_be_reached(grid: FakeGrid) -> None:
    grid.offline.add("south")
    known = {**grid.keys, "west": b"west"}
    del known["north"]
    route = FlowerRoute(grid, known, 20.0)
    assert route.sites() == ["east"]
    answers = route.exchange(_ask("east", "north", "south", "west"))
    gone = Unreached("offline")
    assert answers == {"east": [b"east", b"[]"], "north": gone, "south": gone, "west": gone}


def test_a_site_that_leaves_is_silent_or_errs_does_not_stop_the_others(grid: FakeGrid) -> None:
    grid.leaving.add("north")
    grid.silent.add("south")
    answers = _route(grid, seconds=0.3).exchange(_ask("east", "north", "south"))
    assert answers == {"east": [b"east", b"[]"], "north": Unreached("offline"), "south": Unreached("late")}
    assert _route(grid).exchange(_ask("east", parcels=(b"please fail",))) == {"east": Unreached("refused")}


def test_a_site_that_speaks_for_another_is_not_heard(grid: FakeGrid) -> None:
    grid.keys["east"], grid.keys["north"] = grid.keys["north"], grid.keys["east"]
    keys = {"north": b"north"}
    assert FlowerRoute(grid, keys, 20.0).exchange(_ask("north")) == {"north": Unreached("invalid")}


def test_nobody_online_is_no_error(grid: FakeGrid) -> None:
    grid.offline |= {"east", "north", "south"}
    assert _route(grid).sites() == []
    assert _route(grid).exchange(_ask("east")) == {"east": Unreached("offline")}


def test_a_message_that_flower_does_not_take_leaves_the_site_unreached(
    grid: FakeGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "push_messages", lambda _messages: [])
    assert _route(grid).exchange(_ask("east")) == {"east": Unreached("offline")}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({}, "invalid"),
        ({"answer": ConfigRecord({"header": b"{"}), "parcels": ArrayRecord()}, "invalid"),
        ({"answer": ConfigRecord({"header": 7}), "parcels": ArrayRecord()}, "invalid"),
        ({"answer": ConfigRecord({"header": b"[]"}), "parcels": ArrayRecord()}, "invalid"),
        ({"answer": ConfigRecord({"header": 100_000 * b"["}), "parcels": ArrayRecord()}, "invalid"),
        ({"answer": ConfigRecord({"header": b'{"code":"ok"}'}), "parcels": ArrayRecord()}, "invalid"),
        ({"answer": ConfigRecord({"header": b'{"code":"\\u001b[31m"}'}), "parcels": ArrayRecord()}, "invalid"),
        ({"answer": ConfigRecord({"header": b'{"code":"busy\\n"}'}), "parcels": ArrayRecord()}, "invalid"),
        ({"answer": ConfigRecord({"header": b'{"code":"busy"}'}), "parcels": ArrayRecord()}, "busy"),
    ],
)
def test_what_a_hostile_bundle_might_answer_is_a_code(content: dict[str, Any], code: str) -> None:
    request = Message(content=RecordDict(), dst_node_id=1, message_type="query.exchange")
    reply = Message(content=RecordDict(content), reply_to=over_the_wire(request, "m1"))
    assert read_answer(reply, "east") == Unreached(code)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Error(code=5, reason="Node Unavailable"), "offline"),
        (Error(code=2, reason=f"{BundleRefusedError}:<'refused a bundle'>"), "unreviewed"),
        (Error(code=2, reason="<class 'KeyError'>:<'patient 4711'>"), "failed"),
        (Error(code=2), "failed"),
    ],
)
def test_an_error_of_flowers_is_a_word_and_its_text_stays_where_it_is(error: Error, code: str) -> None:
    request = Message(content=RecordDict(), dst_node_id=1, message_type="query.exchange")
    assert read_answer(Message(error, reply_to=over_the_wire(request, "m1")), "east") == Unreached(code)


def _enrol(world: World, names: tuple[str, ...], folder: Path, stack: ExitStack) -> FakeGrid:
    """Hand-made sites with node keys, each behind a service of its own."""
    sockets, keys = {}, {}
    for name in names:
        site, node = Site(name, world.coordinator), ec.generate_private_key(ec.SECP384R1()).public_key()
        line = node.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
        told = fingerprint(bytes.fromhex(public_hex(site.key)))
        world.coordinator.enrol(world.request(site, flower_public=line), told)
        world.members[name] = site
        keys[name] = node.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        (folder / name).mkdir()
        answer = partial(_answer, site)
        sockets[name] = stack.enter_context(Service(folder / name, name, answer, site.witness)).socket
    grid = FakeGrid(courier, sockets)
    grid.keys = keys
    return grid


def _answer(site: Site, parcels: list[bytes], settled: Settled) -> list[bytes]:
    return site.exchange(ExchangeRequest(parcels, settled))


def _run_event(world: World, grid: FakeGrid, event: str = "first", work: str = "event") -> dict[str, Any]:
    server_app(grid, Context(1, 1, {}, RecordDict(), {"event": event, "seconds": 20.0, "work": work}))
    return dict(json.loads((world.coordinator.home.events_path / f"{event}.json").read_bytes()))


def test_an_event_through_flower_ends_as_one_through_files(
    make_world: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline, flower = make_world(), make_world()
    monkeypatch.setenv(HOME_VARIABLE, str(flower.coordinator.home.path))
    with ExitStack() as stack:
        grid = _enrol(flower, ("ada", "ben"), tmp_path, stack)
        for world in (offline, flower):
            for name in ("ada", "ben"):
                site = world.members[name] if world is flower else world.join(name)
                site.put(site.statistics())
        outcome = _run_event(flower, grid)
    expected = run_event(offline.coordinator, offline)
    assert outcome["event"] == "first"
    assert expected.release is not None
    assert EventSummary.model_validate_json(json.dumps(outcome["summary"])).release == expected.release
    assert [release.digest for release in flower.members["ada"].releases] == [expected.release]
    assert flower.coordinator.unwitnessed(["ada", "ben"]) == {}


def test_a_site_without_a_node_key_or_with_anothers_is_not_reached(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(world.coordinator.home.path))
    world.join("cem")
    with ExitStack() as stack:
        grid = _enrol(world, ("ada", "ben"), tmp_path, stack)
        grid.keys["ben"] = b"another"
        rounds = _run_event(world, grid)["summary"]["rounds"]
    assert [[answer["site"] for answer in answers] for answers in rounds] == [["ada"]]


def test_a_mistake_of_a_person_ends_up_in_the_summary(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(world.coordinator.home.path))
    (world.coordinator.home.path / "keys.toml").write_text("damaged")
    assert "keys.toml" in _run_event(world, FakeGrid(courier, {}))["error"]


@pytest.mark.parametrize(("event", "work"), [("", "event"), ("../escape", "event"), ("a/b", "average"), ("a", "steal")])
def test_a_run_cannot_choose_where_it_writes_or_what_it_does(
    world: World, event: str, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(world.coordinator.home.path))
    with pytest.raises(ValueError, match="has to name its event and its work"):
        _run_event(world, FakeGrid(courier, {}), event, work)
    assert not world.coordinator.home.events_path.exists()


@pytest.fixture
def averaged(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGrid]:
    """Three hand-made sites behind real services and couriers, which train in rounds."""
    monkeypatch.setenv(HOME_VARIABLE, str(world.coordinator.home.path))
    with ExitStack() as stack:
        yield _enrol(world, ("ada", "ben", "cem"), tmp_path, stack)


def _averaged(world: World, grid: FakeGrid, **changes: Any) -> tuple[AveragingSummary, Tensors]:
    world.coordinator.begin_average(plan(**changes))
    outcome = _run_event(world, grid, work="average")
    summary = AveragingSummary.model_validate_json(json.dumps(outcome["summary"]))
    return summary, dict(world.coordinator.stored(summary.finished or "").tensors)


@pytest.mark.parametrize(("strategy", "proximal"), [("fedavg", 0.0), ("fedprox", 0.3)])
def test_flowers_strategy_gives_the_weighted_mean_of_the_manifests_counts(
    strategy: str, proximal: float, world: World, averaged: FakeGrid
) -> None:
    summary, state = _averaged(world, averaged, strategy=strategy, proximal=proximal, rounds=2)
    step = sum(IMAGES[site] * SHIFTS[site] for site in IMAGES) / sum(IMAGES.values())
    for array in state.values():
        np.testing.assert_allclose(array, 2 * step, rtol=1e-5)
    assert [sorted(each.entered) for each in summary.rounds] == 2 * [["ada", "ben", "cem"]]
    finished = [opened.digest for opened in world.members["ada"].averages][-1]
    assert finished == summary.finished
    assert {opened.manifest.plan.proximal for opened in world.members["ada"].averages} == {proximal}


@pytest.mark.parametrize(("strategy", "proximal"), [("fedavg", 0.0), ("fedprox", 0.3)])
def test_a_u_net_is_averaged_and_counts_in_its_state_stay_whole(
    strategy: str, proximal: float, world: World, averaged: FakeGrid
) -> None:
    for name, member in world.members.items():
        member.answer = partial(_moved, member, SHIFTS[name])
    config: dict[str, Scalar] = {"classes": 4, "side": 16, "width": 2, "levels": 2}
    _, state = _averaged(world, averaged, strategy=strategy, proximal=proximal, rounds=1, model="unet", config=config)
    start = averaged_model("unet").start(dict(config))
    step = sum(IMAGES[site] * SHIFTS[site] for site in IMAGES) / sum(IMAGES.values())
    for name, array in state.items():
        whole = array.dtype.kind == "i"
        np.testing.assert_allclose(array, start[name] + (0 if whole else step), rtol=1e-4, atol=1e-5)
        assert (array.dtype, array.shape) == (start[name].dtype, start[name].shape)


def _moved(member: Site, shift: float, opened: Opened) -> Draft:
    """An update that moves every number of a state but counts."""
    state = {
        name: array + np.float32(shift) if array.dtype.kind == "f" else array for name, array in opened.tensors.items()
    }
    return member.update(opened, state)


def test_a_bad_update_over_flower_is_named_and_never_seen_by_the_strategy(
    world: World, averaged: FakeGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []

    def spy(self: FedAvg, server_round: int, replies: Iterable[Message]) -> Any:
        messages = list(replies)
        seen.extend(dict(message.content) for message in messages)
        return original(self, server_round, messages)

    original = FedAvg.aggregate_train
    monkeypatch.setattr(FedAvg, "aggregate_train", spy)
    cem = world.members["cem"]
    cem.answer = lambda opened: cem.update(opened, {name: array * np.nan for name, array in opened.tensors.items()})
    summary, _ = _averaged(world, averaged, rounds=1)
    (refused,) = [found for found in summary.rounds[0].accepted if found.outcome == "quarantined"]
    assert (refused.site, "NaN" in refused.reason) == ("cem", True)
    assert [sorted(content) for content in seen] == 2 * [["arrays", "manifest", "metrics"]]
    for content in seen:
        manifest = parse_manifest(content["manifest"]["manifest"])
        assert content["metrics"]["num-examples"] == manifest.examples
        assert {name: array.numpy().shape for name, array in content["arrays"].items()} == {
            name: spec.shape for name, spec in manifest.tensors.items()
        }


def test_only_signed_parcels_go_out_whatever_the_strategy_would_send(world: World, averaged: FakeGrid) -> None:
    pushed: list[Message] = []
    deliver = averaged.push_messages

    def push(messages: Iterable[Message]) -> Iterable[str]:
        pushed.extend(found := list(messages))
        return deliver(found)

    averaged.push_messages = push  # type: ignore[method-assign]
    _averaged(world, averaged, rounds=1)
    assert {message.metadata.message_type for message in pushed} == {"query.exchange", "query.witness"}
    assert all(set(message.content) == {"request", "parcels"} for message in pushed)


def test_a_strategy_with_another_proximal_term_than_the_signed_one_does_not_run(
    world: World, averaged: FakeGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STRATEGIES, "fedprox", lambda _: FedProx(proximal_mu=9.0, min_train_nodes=1))
    world.coordinator.begin_average(plan(strategy="fedprox", proximal=0.5))
    outcome = _run_event(world, averaged, work="average")
    assert outcome["error"] == "fedprox: asks for another proximal term than the plan"
    assert world.members["ada"].averages == []


def test_a_strategy_never_waits_for_nodes_that_have_left(world: World, averaged: FakeGrid) -> None:
    averaged.offline |= {"ben", "cem"}
    averaged.get_node_ids = list  # type: ignore[method-assign]
    world.coordinator.begin_average(plan(rounds=1, least=1))
    summary = _run_event(world, averaged, work="average")["summary"]
    assert list(summary["rounds"][0]["entered"]) == ["ada"]


def test_without_sites_or_a_run_it_is_told_in_one_line(world: World, averaged: FakeGrid) -> None:
    assert "no run of rounds waits for updates" in _run_event(world, averaged, work="average")["error"]
    averaged.offline |= {"ada", "ben", "cem"}
    world.coordinator.begin_average(plan())
    outcome = _run_event(world, averaged, "second", work="average")
    assert outcome["summary"]["trouble"].startswith("round 1 has updates of 0 sites, 2 are needed")


def test_a_state_keeps_types_and_shapes_as_a_record() -> None:
    state: Tensors = {"seen": np.array(7), "bn.weight": np.ones((2, 0), np.float32), "u": np.array([1], np.uint8)}
    record = record_of(state)
    for name, array in state.items():
        assert (record[name].numpy().dtype, record[name].numpy().shape) == (array.dtype, array.shape)


@pytest.mark.parametrize("name", get_args(StrategyName))
def test_every_strategy_of_the_contract_is_here(name: str) -> None:
    assert set(STRATEGIES) == set(get_args(StrategyName))
    proximal = 0.5 if name == "fedprox" else 0.0
    assert isinstance(STRATEGIES[name](plan(strategy=name, proximal=proximal)), FedAvg)
