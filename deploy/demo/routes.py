"""The two ways between the coordinator and the sites: Flower's runtime, or files and nothing else."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from federated.envelope import parse_parcel
from federated.errors import ConsiliumError
from federated.files import write_whole
from federated.processes import undisturbed
from federated.release_status import SUFFIX
from server.coordinator import Coordinator
from server.event import EventSummary, ExchangeRequest, Unreached, run_event
from server.superlink import SuperLink
from site_agent import supernode
from site_agent.agent import exchange
from site_agent.home import SiteHome
from site_agent.service import Service
from site_agent.witness import witness

ONLINE_SECONDS = 90.0
POLL_SECONDS = 0.1


class Way(Protocol):
    """A way between the coordinator and the sites, while it is entered."""

    name: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def connect(self, home: SiteHome) -> None:
        """A site becomes reachable; returns at once."""

    def run_event(self) -> EventSummary:
        """Everything that waits is exchanged, fused, reported on and released."""


class Files:
    """Parcels as files: each round writes what every site is handed, and what it hands back, into one folder.

    Args:
        coordinator: whose events these are.
        folder: for the parcels, named by round, direction and kind.
    """

    name = "files"

    def __init__(self, coordinator: Coordinator, folder: Path) -> None:
        self._coordinator, self._folder = coordinator, folder
        self._homes: dict[str, SiteHome] = {}
        self._round = 0

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was started."""

    def connect(self, home: SiteHome) -> None:
        """Somebody carries this site's files from now on."""
        self._homes[home.config.site] = home

    def run_event(self) -> EventSummary:
        """One event."""
        return run_event(self._coordinator, self)

    def sites(self) -> list[str]:
        """Sites whose files somebody carries."""
        return sorted(self._homes)

    def exchange(self, requests: Mapping[str, ExchangeRequest]) -> Mapping[str, list[bytes] | Unreached]:
        """Carries files to every site and back."""
        self._round += 1
        return {site: self._carry(site, request) for site, request in requests.items()}

    def witness(self, requests: Mapping[str, Sequence[bytes]]) -> Mapping[str, bytes]:
        """Carries a checkpoint to every site and what it says of it back; who refuses says nothing."""
        answers = {}
        for site, (asked, *told) in requests.items():
            with suppress(ConsiliumError):
                answers[site] = witness(self._homes[site], asked, told)
        return answers

    def _carry(self, site: str, request: ExchangeRequest) -> list[bytes]:
        handed = self._write(request.parcels, f"to-{site}")
        data = [path.read_bytes() for path in handed]
        if request.status:
            path = self._folder / f"{self._round:03d}-to-{site}{SUFFIX}"
            write_whole(path, request.status)
            data.append(path.read_bytes())
        answer = exchange(self._homes[site], data, request.settled, adopting=True)
        return [path.read_bytes() for path in self._write(answer, f"from-{site}")]

    def _write(self, parcels: list[bytes], direction: str) -> list[Path]:
        paths = []
        for number, data in enumerate(parcels, start=1):
            kind = json.loads(parse_parcel(data).manifest)["kind"]
            paths.append(self._folder / f"{self._round:03d}-{direction}-{number:02d}-{kind}.parcel")
            write_whole(paths[-1], data)
        return paths


class Flower:
    """A SuperLink on loopback and one SuperNode a site, over TLS; each event is one short Flower run.

    Args:
        coordinator: whose events these are.
    """

    name = "Flower"

    def __init__(self, coordinator: Coordinator) -> None:
        self._link = SuperLink(coordinator.home)
        self._stack = ExitStack()
        self._nodes: dict[str, tuple[supernode.Node, subprocess.Popen[bytes]]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._link)
            stack.callback(self._stop_nodes)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """SuperNodes sign off before their SuperLink is stopped; Ctrl-C meanwhile waits."""
        with undisturbed():
            self._stack.close()

    def connect(self, home: SiteHome) -> None:
        """Starts the site's agent and its SuperNode."""
        self._link.admit()
        serve = partial(exchange, home, adopting=True)
        service = self._stack.enter_context(Service(home.path, home.config.site, serve, partial(witness, home)))
        node = supernode.node_of(home, service.socket)
        node.folder.mkdir(mode=0o700, exist_ok=True)
        with undisturbed():
            self._nodes[home.config.site] = (node, supernode.start(node))

    def run_event(self) -> EventSummary:
        """One Flower run, as soon as every SuperNode is online."""
        self._wait_online()
        return self._link.run_event()

    def _wait_online(self) -> None:
        deadline = time.monotonic() + ONLINE_SECONDS
        while missing := set(self._nodes) - self._link.online():
            for site in missing:
                node, process = self._nodes[site]
                if process.poll() is not None or time.monotonic() > deadline:
                    raise ConsiliumError("its SuperNode did not come online", where=site, cure=f"see {node.log}")
            time.sleep(POLL_SECONDS)

    def _stop_nodes(self) -> None:
        for _, process in self._nodes.values():
            process.terminate()
        for _, process in self._nodes.values():
            supernode.stop(process)
