"""The coordinator's SuperLink: started on loopback over TLS with node authentication, watched, asked, stopped.

One short Flower run is one event. What a run did is read from its status and from the summary it wrote into the home,
never from an exit code. Whoever reaches the SuperLink's port and is no SuperNode may start runs: it stays on loopback,
and sites come in through a gate that passes the fleet's paths only.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

from federated.errors import ConsiliumError
from federated.key_agent import VARIABLE, KeyAgent
from federated.passphrases import agent_of
from federated.processes import WITH_PARENT, ended_by_sigterm, undisturbed
from server.averaging import AveragingSummary
from server.certificates import create_certificates
from server.client_certificates import write_list
from server.event import EventSummary
from server.home import CoordinatorHome
from server.node_keys import node_keys
from server.processes import has_child, stop_tree
from server.watch import Watch, event_line

if TYPE_CHECKING:
    from server.flower_app import Control

BUNDLE = Path(__file__).resolve().parents[1] / "deploy" / "flower"
BEHIND_A_GATE = "127.0.0.1:18000"
START_SECONDS = 60.0
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 30.0
ROUNDS = 3
SERVER_APP = "flwr-serverapp"
ROUND_SECONDS = 600.0
SPARE_SECONDS = 60.0


class SuperLink:
    """A running SuperLink of one home, while it is entered.

    Args:
        home: the coordinator's home, which holds everything the SuperLink writes.
        listen: ``host:port``; without it, the address in the home's configuration where that is on this machine, else
            127.0.0.1:18000 behind a gate.

    Raises:
        ConsiliumError: the port is in use, or the SuperLink did not start.
    """

    def __init__(self, home: CoordinatorHome, listen: str | None = None) -> None:
        self.listen = listen or _listen(home.config.superlink)
        self.folder = home.path.resolve() / "flower"
        self.log = self.folder / "superlink.log"
        self._home = home
        self._keys: KeyAgent | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Control | None = None

    def __enter__(self) -> Self:
        from server.flower_app import Control

        host, _, port = self.listen.rpartition(":")
        _require_free(host, int(port))
        names = [self._home.config.superlink.rpartition(":")[0], host]
        certificates = create_certificates(self._home.certificates_path, self._home.config.federation, names)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        try:
            self._lend_key()
            with undisturbed():
                self._process = self._start(host, port)
            address = f"127.0.0.1:{port}" if host == "0.0.0.0" else self.listen  # noqa: S104
            self._wait_until_ready(f"https://{address}/health", certificates.authority)
            self._control = Control(address, certificates.authority.read_bytes())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def admit(self) -> list[str]:
        """Lets in exactly the nodes of the enrolled sites, and shuts out all others, here and at the gate.

        Returns:
            The sites' names.
        """
        keys = node_keys(self._home)
        registered = {node.public_key: node.node_id for node in self.control.nodes()}
        for key in set(keys.values()) - set(registered):
            self.control.register(key)
        for key in set(registered) - set(keys.values()):
            self.control.unregister(registered[key])
        write_list(self._home)
        return sorted(keys)

    def online(self) -> set[str]:
        """Names of the sites whose SuperNode is online."""
        online = {node.public_key for node in self.control.nodes() if node.online}
        return {site for site, key in node_keys(self._home).items() if key in online}

    def run_event(self, seconds: float = ROUND_SECONDS) -> EventSummary:
        """Runs one event with the sites that are online, and gives its summary.

        Args:
            seconds: how long one round of messages may take.

        Raises:
            ConsiliumError: the event did not end as it should; run again, it goes on from what was kept.
        """
        return EventSummary.model_validate_json(self._run("event", ROUNDS, seconds))

    def run_average(self, rounds: int, seconds: float = ROUND_SECONDS) -> AveragingSummary:
        """Runs the rounds of averaging that were begun in the home, with the sites that are online.

        Args:
            rounds: how many there are at most.
            seconds: how long one round of messages may take.

        Raises:
            ConsiliumError: they did not end as they should; run again, they go on from the last round.
        """
        return AveragingSummary.model_validate_json(self._run("average", rounds + 1, seconds))

    def _run(self, work: str, rounds: int, seconds: float) -> bytes:
        """The summary, in JSON, of a Flower run of so many rounds of messages."""
        event = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        run = self.control.start(BUNDLE, event, seconds, work)
        status = self._wait_for(run, rounds * seconds + SPARE_SECONDS)
        path = self._home.events_path / f"{event}.json"
        if not path.exists():
            raise ConsiliumError(f"the {work} ended as {status}", where=event, cure=f"run it again; see {self.log}")
        outcome = json.loads(path.read_bytes())
        if "error" in outcome:
            raise ConsiliumError(outcome["error"], where=event)
        return json.dumps(outcome["summary"]).encode()

    def wait_for_all(self, seconds: float) -> set[str]:
        """Waits until every enrolled site is online, or the time is up; the names of those that are.

        Raises:
            ConsiliumError: no site is.
        """
        deadline = time.monotonic() + seconds
        enrolled = set(self.admit())
        while not (enrolled and enrolled <= self.online()) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        online = self.online()
        if not online:
            raise ConsiliumError("no site came online", where=self.listen, cure="start them: consilium site run")
        return online

    def require_running(self) -> None:
        """Does nothing, unless the SuperLink has ended.

        Raises:
            ConsiliumError: it has.
        """
        _ = self.control

    @property
    def control(self) -> Control:
        """The SuperLink's control.

        Raises:
            ConsiliumError: it is not running (any more).
        """
        if self._control is None or self._process is None or self._process.poll() is not None:
            raise ConsiliumError("the SuperLink is not running", where=self.listen, cure=f"see {self.log}")
        return self._control

    def _lend_key(self) -> None:
        """The coordinator's key, where it is encrypted, for events, each of which Flower starts as a process."""
        agent = agent_of(self._home.key_path)
        self._keys = agent.__enter__() if agent is not None else None

    def _start(self, host: str, port: str) -> subprocess.Popen[bytes]:
        files = self._home.certificates_path.resolve()
        command = [
            *(sys.executable, "-c", WITH_PARENT, str(_program("flower-superlink"))),
            *("--host", host, "--port", port, "--database", str(self.folder / "superlink.sqlite")),
            *("--ssl-ca-certfile", str(files / "ca.crt"), "--ssl-certfile", str(files / "server.crt")),
            *("--ssl-keyfile", str(files / "server.key"), "--enable-supernode-auth"),
            "--disable-runtime-dependency-installation",
        ]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        from server.flower_app import HOME_VARIABLE

        local = ("localhost", "127.0.0.1", *filter(None, [os.environ.get("NO_PROXY")]))
        return os.environ | {
            "PATH": f"{_program('flower-superlink').parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "NO_PROXY": ",".join(local),
            "FLWR_HOME": str(self.folder / "home"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "FLWR_LOG_LEVEL": "WARNING",
            "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.25",
            HOME_VARIABLE: str(self._home.path.resolve()),
            VARIABLE: str(self._keys.path) if self._keys is not None else "",
        }

    def _wait_until_ready(self, url: str, authority: Path) -> None:
        context = ssl.create_default_context(cafile=str(authority))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                raise ConsiliumError(f"the SuperLink stopped while starting: {_last_line(self.log)}", where=self.listen)
            with suppress(OSError), opener.open(url, timeout=2):
                return
            time.sleep(POLL_SECONDS)
        raise ConsiliumError("the SuperLink did not get ready", where=self.listen, cure=f"see {self.log}")

    def _wait_for(self, run: int, seconds: float) -> str:
        deadline = time.monotonic() + seconds
        while not (status := self._status(run)).startswith("finished"):
            if time.monotonic() > deadline or (status == "running" and self._was_killed(run)):
                with suppress(ConsiliumError):  # it may have ended meanwhile
                    self.control.stop(run)
            time.sleep(POLL_SECONDS)
        return status

    def _status(self, run: int) -> str:
        control = self.control
        try:
            return control.status(run)
        except ConsiliumError:
            return "unknown"  # too busy to answer; the next look is better

    def _was_killed(self, run: int) -> bool:
        """Whether a run that goes on has lost its process, which Flower would notice a minute later."""
        assert self._process is not None
        return not has_child(self._process, SERVER_APP) and self._status(run) == "running"

    def _stop(self) -> None:
        with undisturbed():
            if self._control is not None:
                self._control.close()
            if self._process is not None:
                stop_tree(self._process)
            if self._keys is not None:
                self._keys.__exit__(None, None, None)


def serve(
    home: CoordinatorHome,
    *,
    listen: str | None = None,
    once: bool = False,
    every: float | None = None,
    interval: float = 2.0,
    seconds: float = ROUND_SECONDS,
    say: Callable[[str], None] = typer.echo,
) -> None:
    """Keeps a SuperLink running, with an event whenever a site comes online, is enrolled, or somebody asks for one.

    Args:
        home: the coordinator's home.
        listen: ``host:port`` of the SuperLink, where it is not the configured one.
        once: one event, when all enrolled sites are online or half a minute has passed; then stop.
        every: seconds after which an event is run even if nothing seems to have changed.
        interval: seconds between two looks at who is online.
        seconds: how long one round of messages may take.
        say: takes one line for each thing that happens.

    Raises:
        ConsiliumError: the SuperLink does not start or stops; with `once`, the event failed or had trouble as well.
    """
    with ended_by_sigterm(), SuperLink(home, listen) as link:
        say(f"SuperLink ready at {link.listen}, waiting for sites; Ctrl-C stops")
        if once:
            link.wait_for_all(PATIENCE_SECONDS)
            summary = link.run_event(seconds)
            say(event_line(summary))
            if summary.trouble:
                raise ConsiliumError(f"no release: {summary.trouble}", where="event")
            return
        watch = Watch(home, every)
        while True:
            try:
                link.admit()
                online = link.online()
                if watch.is_due(online):
                    summary = link.run_event(seconds)
                    watch.ran(online, summary)
                    say(event_line(summary))
            except ConsiliumError as error:
                link.require_running()
                watch.failed()
                say(str(error))
            time.sleep(interval)


def _listen(address: str) -> str:
    host = address.rpartition(":")[0]
    return address if host == "localhost" or host.startswith("127.") else BEHIND_A_GATE


def _require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConsiliumError(
                f"the port cannot be used ({error.strerror})",
                where=f"{host}:{port}",
                cure="stop what listens there, or choose another with --listen",
            ) from error


def _program(name: str) -> Path:
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise ConsiliumError(
            "Flower is not installed", where=str(path), cure="in a copy of the repository: pip install '.[coordinator]'"
        )
    return path


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
