"""All of Flower on the coordinator's side: the ServerApp, the route it gives an event, and the SuperLink's control.

Flower carries bytes and remembers nothing. A run is one event; it ends by writing a summary into the coordinator's
home, which is what counts: neither an exit code nor a log is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import httpx
import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Error, Message, MessageType, MetricRecord, RecordDict
from flwr.cli.build import build_fab_from_disk
from flwr.common.serde import fab_to_proto, user_config_to_proto
from flwr.proto.control_pb2 import (
    ListNodesRequest,
    ListRunsRequest,
    RegisterNodeRequest,
    StartRunRequest,
    StopRunRequest,
    UnregisterNodeRequest,
)
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg, FedProx
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.fab import Fab
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

from federated.averaging import AverageManifest, Plan
from federated.contract import Tensors
from federated.errors import ConsiliumError
from federated.files import write_whole
from server.averages import Update
from server.averaging import AveragingSummary, run_average
from server.coordinator import Coordinator
from server.event import EventSummary, ExchangeRequest, Unreached, run_event
from server.home import CoordinatorHome
from server.node_keys import node_keys

HOME_VARIABLE = "CONSILIUM_COORDINATOR_HOME"
EVENT_NAME = re.compile(r"^[0-9A-Za-z-]{1,64}$")
CODE = re.compile(r"[a-z]{1,20}")
ONLINE, UNREGISTERED = "online", "unregistered"
POLL_SECONDS = 0.2  # each look is a request, and both ends of it may be one small machine
NODE_UNAVAILABLE = 5
UNREVIEWED = "BundleRefusedError"  # what a site's program raises at a bundle that nobody there has reviewed
EXAMPLES = "num-examples"
EXCHANGE, WITNESS = "query.exchange", "query.witness"
Request = TypeVar("Request")
Answer = TypeVar("Answer")

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Runs one event, or rounds of averaging, in the home that the SuperLink was started for, and writes its summary.

    Run configuration: ``event`` names the summary's file, ``seconds`` bounds one round of messages, ``work`` is one of
    `WORK`. The home comes from the environment: every site sees a run's configuration. What rounds do stands in the
    home too, so that whoever may start runs cannot choose it.
    """
    home = CoordinatorHome(Path(os.environ[HOME_VARIABLE]))
    event, seconds = str(context.run_config["event"]), float(context.run_config["seconds"])
    work = str(context.run_config["work"])
    if not EVENT_NAME.match(event) or work not in WORK:
        raise ValueError("a run has to name its event and its work")
    try:
        summary = WORK[work](Coordinator(home), FlowerRoute(grid, node_keys(home), seconds))
        outcome: dict[str, Any] = {"summary": summary.model_dump(mode="json")}
    except ConsiliumError as error:
        outcome = {"error": str(error)}
    home.events_path.mkdir(exist_ok=True)
    write_whole(home.events_path / f"{event}.json", json.dumps({"event": event, **outcome}, indent=1).encode())


class FlowerRoute:
    """The way to the sites that are online, one message to each a round.

    Args:
        grid: Flower's messages.
        keys: public node keys (PEM) of the sites; a node with another key is no site.
        seconds: how long a round may take; who has not answered then is reported as late.
    """

    def __init__(self, grid: Grid, keys: Mapping[str, bytes], seconds: float) -> None:
        self._grid, self._keys, self._seconds = grid, keys, seconds

    def sites(self) -> list[str]:
        """Names of the sites that can be reached now."""
        return sorted(self._nodes())

    def ask(self, average: AverageManifest, state: Tensors, sites: Sequence[str]) -> list[str]:
        """Those of the sites that Flower's strategy samples for a round.

        The strategy's own messages stop here, unsigned as they are: a site gets the signed global model, which holds
        the same tensors, round and μ.

        Raises:
            ConsiliumError: the strategy would have sites train otherwise than the plan says.
        """
        nodes = {site: node for site, node in self._nodes().items() if site in sites}
        if not nodes:
            return []
        # a strategy that is given Flower's grid waits in it without end for nodes that have just left
        reached = cast(Grid, SimpleNamespace(get_node_ids=lambda: list(nodes.values())))
        messages = strategy_of(average.plan).configure_train(
            average.round + 1, record_of(state), ConfigRecord(), reached
        )
        asked = {message.metadata.dst_node_id: message.content["config"] for message in messages}
        for config in asked.values():
            if not isinstance(config, ConfigRecord) or config.get("proximal-mu", 0.0) != average.plan.proximal:
                raise ConsiliumError("asks for another proximal term than the plan", where=average.plan.strategy)
        return [site for site in sites if nodes.get(site) in asked]

    def average(self, average: AverageManifest, updates: Sequence[Update]) -> Tensors:
        """What Flower's strategy makes of updates, each of which was verified.

        Raises:
            ConsiliumError: it makes nothing of them.
        """
        arrays, _ = strategy_of(average.plan).aggregate_train(average.round + 1, [verified(each) for each in updates])
        if arrays is None:
            raise ConsiliumError("made nothing of the updates", where=average.plan.strategy)
        return {name: array.numpy() for name, array in arrays.items()}

    def exchange(self, requests: Mapping[str, ExchangeRequest]) -> dict[str, list[bytes] | Unreached]:
        """One round: each site's outbox, or why it did not answer."""
        return self._round(
            {
                site: partial(
                    self._message, EXCHANGE, json.dumps({"settled": request.settled}).encode(), request.handed
                )
                for site, request in requests.items()
            }
        )

    def witness(self, requests: Mapping[str, Sequence[bytes]]) -> dict[str, bytes]:
        """What those sites say of the log that answer in time."""
        answers = self._round(
            {site: partial(self._message, WITNESS, asked, told) for site, (asked, *told) in requests.items()}
        )
        return {site: answer[0] for site, answer in answers.items() if isinstance(answer, list) and len(answer) == 1}

    def _round(self, messages: Mapping[str, Callable[[int], Message]]) -> dict[str, list[bytes] | Unreached]:
        """One message to each site, made for its node: what it hands back, or why it did not answer."""
        nodes = self._nodes()
        answers: dict[str, list[bytes] | Unreached] = {site: Unreached("offline") for site in messages}
        asked = [site for site in messages if site in nodes]
        waiting = self._push(asked, [messages[site](nodes[site]) for site in asked])
        answers |= dict.fromkeys(waiting.values(), Unreached("late"))
        deadline = time.monotonic() + self._seconds
        while waiting and time.monotonic() < deadline:
            for reply in self._grid.pull_messages(list(waiting)):
                site = waiting.pop(reply.metadata.reply_to_message_id)
                answers[site] = read_answer(reply, site)
            time.sleep(POLL_SECONDS if waiting else 0)
        return answers

    def _nodes(self) -> dict[str, int]:
        online = {node.public_key: node.node_id for node in self._grid.get_nodes() if node.status == ONLINE}
        return {site: online[key] for site, key in self._keys.items() if key in online}

    def _push(self, sites: list[str], messages: list[Message]) -> dict[str, str]:
        """Message identifiers, each with the site it went to; a message that was not taken is missing."""
        identifiers = list(self._grid.push_messages(messages)) if messages else []
        return {identifier: site for identifier, site in zip(identifiers, sites, strict=False) if identifier}

    def _message(self, kind: str, header: bytes, parcels: Sequence[bytes], node: int) -> Message:
        arrays = {f"{i:06d}": Array("uint8", (len(data),), "bytes", data) for i, data in enumerate(parcels)}
        content = RecordDict(
            {"request": ConfigRecord({"header": header, "seconds": self._seconds}), "parcels": ArrayRecord(arrays)}
        )
        return Message(content=content, dst_node_id=node, message_type=kind, ttl=self._seconds + 60)


def strategy_of(plan: Plan) -> FedAvg:
    """Flower's strategy of a plan; all nodes that are online are sampled, and it waits for none."""
    return STRATEGIES[plan.strategy](plan)


def record_of(state: Tensors) -> ArrayRecord:
    """A state as Flower's strategies take it, each tensor an array of its own; nothing is pickled."""
    return ArrayRecord({name: Array(np.asarray(array, order="C")) for name, array in sorted(state.items())})


def verified(update: Update) -> Message:
    """An update as a strategy takes it, made of what was verified and of nothing that came over Flower.

    The signed manifest stands in a ConfigRecord, the tensors that it names in an ArrayRecord; the images that it is
    weighted by are those of the manifest.
    """
    content = RecordDict(
        {
            "manifest": ConfigRecord({"envelope": update.parcel.envelope, "manifest": update.parcel.manifest}),
            "arrays": record_of(update.tensors),
            "metrics": MetricRecord({EXAMPLES: update.manifest.examples}),
        }
    )
    return Message(content=content, dst_node_id=0, message_type=MessageType.TRAIN)


def _average(coordinator: Coordinator, route: FlowerRoute) -> AveragingSummary:
    return run_average(coordinator, route, route)


WORK: dict[str, Callable[[Coordinator, FlowerRoute], EventSummary | AveragingSummary]] = {
    "event": run_event,
    "average": _average,
}
SAMPLING: dict[str, Any] = {"min_train_nodes": 1, "min_available_nodes": 1, "weighted_by_key": EXAMPLES}
STRATEGIES: dict[str, Callable[[Plan], FedAvg]] = {
    "fedavg": lambda _: FedAvg(**SAMPLING),
    "fedprox": lambda plan: FedProx(proximal_mu=plan.proximal, **SAMPLING),
}


def read_answer(reply: Message, site: str) -> list[bytes] | Unreached:
    """A site's parcels, or its code; what is not an answer of that site is a code too."""
    if reply.has_error():
        return Unreached(_why(reply.error))
    answer, parcels = reply.content.get("answer"), reply.content.get("parcels")
    if not (isinstance(answer, ConfigRecord) and isinstance(parcels, ArrayRecord)):
        return Unreached("invalid")
    try:
        header = json.loads(answer["header"])  # type: ignore[arg-type]
        code, name = str(header["code"]), header.get("site")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Unreached("invalid")
    if code != "ok":
        return Unreached(code if CODE.fullmatch(code) else "invalid")
    return [parcels[key].data for key in sorted(parcels)] if name == site else Unreached("invalid")


def _why(error: Error) -> str:
    """A word for an error that Flower answers with instead of a site; its text is nobody's business."""
    if error.code == NODE_UNAVAILABLE:
        return "offline"
    return "unreviewed" if UNREVIEWED in (error.reason or "") else "failed"


@dataclass(frozen=True)
class Node:
    """A SuperNode that is registered: Flower's number for it, its public key (PEM), and whether it is online."""

    node_id: int
    public_key: bytes
    online: bool


class Control:
    """What the `flwr` command does, without a process a call, and with the nodes' keys, which the command leaves out.

    Every method raises a ConsiliumError where the SuperLink does not answer or does not want to.

    Args:
        address: ``host:port`` of the SuperLink.
        authority: the certificate (PEM) that signed the SuperLink's.
    """

    def __init__(self, address: str, authority: bytes) -> None:
        version = RuntimeVersionHttpInterceptor(component_name="flwr CLI")
        self._address = address
        self._client = ControlHttpClient.from_server_address(address, False, authority, [version])

    def close(self) -> None:
        """Hangs up, without which a SuperLink that stops would wait."""
        self._client.close()

    def nodes(self) -> list[Node]:
        """Every registered node."""
        nodes = self._ask(self._client.ListNodes, ListNodesRequest()).nodes_info
        return [Node(n.node_id, n.public_key, n.status == ONLINE) for n in nodes if n.status != UNREGISTERED]

    def register(self, public_key: bytes) -> None:
        """Lets a node with this key (PEM) in."""
        self._ask(self._client.RegisterNode, RegisterNodeRequest(public_key=public_key))

    def unregister(self, node_id: int) -> None:
        """Shuts a node out."""
        self._ask(self._client.UnregisterNode, UnregisterNodeRequest(node_id=node_id))

    def start(self, bundle: Path, event: str, seconds: float, work: str) -> int:
        """Submits a run and gives its number."""
        data = build_fab_from_disk(bundle)
        fab = fab_to_proto(Fab(hashlib.sha256(data).hexdigest(), data, {}))
        config = user_config_to_proto({"event": event, "seconds": seconds, "work": work})
        return self._ask(self._client.StartRun, StartRunRequest(fab=fab, override_config=config)).run_id

    def status(self, run: int) -> str:
        """``pending``, ``starting``, ``running``, or ``finished:`` and how."""
        status = self._ask(self._client.ListRuns, ListRunsRequest(run_id=run)).run_dict[run].status
        return f"{status.status}:{status.sub_status}" if status.sub_status else status.status

    def stop(self, run: int) -> None:
        """Ends a run before its time."""
        self._ask(self._client.StopRun, StopRunRequest(run_id=run))

    def _ask(self, call: Callable[[Request], Answer], request: Request) -> Answer:
        try:
            return call(request)
        except (httpx.HTTPError, ValueError) as error:
            raise ConsiliumError(
                f"the SuperLink did not do what it was asked ({error})", where=self._address, cure="see its log"
            ) from error
