"""The site's SuperNode: started beside the agent's service, watched, signed off before anything else is stopped.

A SuperNode starts what the coordinator sends. It gets a bare environment, the one socket, and programs of ours that
run the courier and refuse every other bundle. Run by the same OS user as the agent it is kept from the site's files by
nothing else: `consilium site node` runs it behind a second wall (see the deployment page).
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from federated.errors import ConsiliumError
from federated.files import write_whole
from federated.processes import WITH_PARENT, ended_by_sigterm, undisturbed
from site_agent.flower_executor import COURIER_TASK, OTHER_TASKS, SAYS, own_bundle
from site_agent.home import SiteHome
from site_agent.service import Door, Service

READ_BYTES = 2**20
RETRY_SECONDS = 10.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.2
ONLINE = b"SuperNode ID"
MAX_LINE = 300
HANGS = b"flwr.supercore.run.RunNotRunningException"  # after a 403 its main thread is gone, and the process stays
UNREACHABLE = b"Connection attempt failed"
REASONS = {
    b"CERTIFICATE_VERIFY_FAILED": "{} is not the SuperLink that the kit vouches for",
    b"[code: 2004]": "{} does not let this site in: not enrolled yet, or its last stop was unclean (a minute)",
    b"400 Bad Request": "the gate at {} asks for a certificate: consilium site certificate, consilium site fence",
    b"terminated gracefully": "the gate at {} does not know this site's certificate, or not with this node key",
    b"connection has been closed (EOF)": "the way to {} is shut: is the forwarder running?",
    b"403 Forbidden": "{}, or a proxy on the way, answers this site with 403",
    b"502 Bad Gateway": "the forwarder does not reach {}, or that is not the gate that the kit vouches for",
}
PROGRAM = "#!{python}\nfrom site_agent.flower_executor import {call}\n\n{call}({told})\n"
PASSED_ON = re.compile(r"^(HOME|LANG|LC_\w+|TZ|TMPDIR|(https?|no)_proxy|(HTTPS?|NO)_PROXY|PYTHONPATH|OMP_NUM_THREADS)$")


def run(home: SiteHome, *, say: Callable[[str], None] = typer.echo) -> None:
    """Answers the coordinator through Flower until it is stopped (Ctrl-C or SIGTERM).

    Args:
        home: the site's home.
        say: takes one line for each change.

    Raises:
        ConsiliumError: the kit named no SuperLink, another agent runs for this home, or Flower is not installed.
    """
    with ExitStack() as stack:
        stack.enter_context(ended_by_sigterm())
        stack.enter_context(_told(say))
        service = stack.enter_context(_service(home))
        keep_online(node_of(home, service.socket), say)


def serve(home: SiteHome, door: Door, *, say: Callable[[str], None] = typer.echo) -> None:
    """Answers a node of another OS user through a socket until it is stopped; starts nothing.

    Args:
        home: the site's home.
        door: the socket, and who may use it.
        say: takes one line for each change.

    Raises:
        ConsiliumError: another agent runs for this home, or the socket cannot be made.
    """
    with ended_by_sigterm(), _told(say), _service(home, door) as service:
        say(f"site '{home.config.site}' answers at {service.socket}; Ctrl-C stops")
        threading.Event().wait()


def _service(home: SiteHome, door: Door | None = None) -> Service:
    from site_agent.agent import exchange
    from site_agent.witness import witness

    return Service(home.path, home.config.site, partial(exchange, home), partial(witness, home), door=door)


class Teller(logging.Handler):
    """Says what the agent logs: each step it takes, and what went wrong, which the courier never hears."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """One record, with its trace where it has one."""
        self._say(self.format(record))


@contextmanager
def _told(say: Callable[[str], None]) -> Iterator[None]:
    agent, teller = logging.getLogger(__package__), Teller(say)
    level = agent.level
    agent.addHandler(teller)
    agent.setLevel(logging.INFO)
    try:
        yield
    finally:
        agent.removeHandler(teller)
        agent.setLevel(level)


@dataclass(frozen=True)
class Node:
    """What a SuperNode is started with.

    Attributes:
        site: name of the site.
        superlink: ``host:port``.
        authority: certificate (PEM) that vouches for the SuperLink.
        key: the node's private key (OpenSSH).
        socket: the agent's.
        folder: where Flower keeps its files and the log lies.
        bundle: digest of the only bundle that it runs.
        gate: the coordinator's address in messages, where a forwarder lies between.
    """

    site: str
    superlink: str
    authority: Path
    key: Path
    socket: Path
    folder: Path
    bundle: str
    gate: str = ""

    @property
    def coordinator(self) -> str:
        """Where it goes to in the end."""
        return self.gate or self.superlink

    @property
    def log(self) -> Path:
        """What the SuperNode said."""
        return self.folder / "supernode.log"


def node_of(home: SiteHome, agent: Path) -> Node:
    """The node of a site whose agent listens at a socket.

    Raises:
        ConsiliumError: the kit named no SuperLink.
    """
    if not home.config.superlink:
        cure = "pass parcels as files: consilium site export, consilium site import"
        raise ConsiliumError("the kit named no SuperLink", where=str(home.path), cure=cure)
    return Node(
        site=home.config.site,
        superlink=home.config.superlink,
        authority=home.ca_path.resolve(),
        key=home.flower_key_path.resolve(),
        socket=agent,
        folder=home.path.resolve() / "flower",
        bundle=own_bundle(),
    )


def keep_online(node: Node, say: Callable[[str], None], retry: float = RETRY_SECONDS) -> None:
    """Starts the SuperNode, and again whenever it ends; only an interruption ends this."""
    said = ""
    while True:
        was_online, reason = _until_it_ends(node, say)
        if was_online or reason != said:
            say(f"{reason}; trying again every {retry:.0f} s")
        said = reason
        time.sleep(retry)


def start(node: Node) -> subprocess.Popen[bytes]:
    """The SuperNode's process, in a group of its own, so that Ctrl-C reaches it through us only."""
    program = _program()
    node.folder.mkdir(mode=0o700, exist_ok=True)
    programs = write_programs(node.folder / "programs", node.bundle)
    command = [
        *(sys.executable, "-c", WITH_PARENT, str(program)),
        *("--superlink", node.superlink, "--root-certificates", str(node.authority)),
        *("--auth-supernode-private-key", str(node.key), "--host", "127.0.0.1", "--port", str(_free_port())),
        *("--node-config", f'site="{node.site}" socket="{node.socket}"'),
    ]
    with node.log.open("wb") as log:
        return subprocess.Popen(
            command,
            env=environment(node.folder / "home", programs),
            cwd=node.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def write_programs(folder: Path, bundle: str) -> Path:
    """The folder in which a SuperNode finds what it starts: for tasks, programs that run one bundle only."""
    folder.mkdir(mode=0o700, exist_ok=True)
    superexec = PROGRAM.format(python=sys.executable, call="run_superexec", told="")
    write_whole(folder / "flower-superexec", superexec.encode(), mode=0o700)
    for name in (COURIER_TASK, *OTHER_TASKS):
        task = PROGRAM.format(python=sys.executable, call="run_task", told=repr(bundle))
        write_whole(folder / name, task.encode(), mode=0o700)
    return folder


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the SuperNode, which signs off if it is asked politely, and whatever it has started."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def environment(flower_home: Path, programs: Path) -> dict[str, str]:
    """What a SuperNode may know of its surroundings: nothing that was meant for somebody else, no program but those."""
    known = {name: value for name, value in os.environ.items() if PASSED_ON.match(name)}
    no_proxy = ",".join(filter(None, ["localhost", "127.0.0.1", os.environ.get("NO_PROXY", "")]))
    return known | {
        "PATH": str(programs),
        "NO_PROXY": no_proxy,
        "FLWR_HOME": str(flower_home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
    }


class LogReader:
    """A growing file, of which each line is read once.

    Args:
        path: the file, which need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def new_lines(self) -> list[bytes]:
        """Whole lines that have come since the last call, of which the longest are cut."""
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read(READ_BYTES)
            end = len(data) if len(data) == READ_BYTES else data.rfind(b"\n") + 1
            self._at += end
            return data[:end].splitlines()
        return []


def _until_it_ends(node: Node, say: Callable[[str], None]) -> tuple[bool, str]:
    """Whether the SuperNode reached the coordinator, which is said when it does, and why it ended.

    What the programs of its tasks say to the hospital is said as well, the same line once.
    """
    process: subprocess.Popen[bytes] | None = None
    heard: set[bytes] = set()
    log = LogReader(node.log)
    news = {
        UNREACHABLE: f"{node.coordinator} cannot be reached yet; trying on",
        ONLINE: f"site '{node.site}' is online at {node.coordinator}; Ctrl-C stops",
    }
    try:
        with undisturbed():
            process = start(node)
        hangs = False
        while process.poll() is None and not hangs:
            for line in log.new_lines():
                for mark in [mark for mark in news if mark in line]:
                    say(news.pop(mark))
                if line.startswith(SAYS.encode()) and line not in heard:
                    say(_printable(line.removeprefix(SAYS.encode())))
                    heard.add(line)
                hangs = hangs or line.startswith(HANGS)
            time.sleep(POLL_SECONDS)
        return ONLINE not in news, _reason(node)
    finally:
        with undisturbed():
            if process is not None:
                stop(process)


def _printable(line: bytes) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in line.decode(errors="replace"))[:MAX_LINE]


def _reason(node: Node) -> str:
    text = node.log.read_bytes()
    for mark, reason in REASONS.items():
        if mark in text and ONLINE not in text:
            return reason.format(node.coordinator)
    return f"the SuperNode ended, see {node.log}"


def _program() -> Path:
    path = Path(sys.executable).parent / "flower-supernode"
    if not path.exists():
        raise ConsiliumError(
            "Flower is not installed", where=str(path), cure="in a copy of the repository: pip install '.[site]'"
        )
    return path


def _free_port() -> int:
    """A port that nobody uses now, for what the SuperNode and its own processes say to each other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
