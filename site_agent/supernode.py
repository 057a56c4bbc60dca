"""The site's SuperNode: started beside the agent's service, watched, signed off before anything else is stopped.

A SuperNode runs whatever bundle the coordinator sends. It gets a bare environment and the one socket; run by the same
OS user as the agent it is still not kept from the site's files (see the deployment page).
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from federated.errors import ConsiliumError
from federated.processes import WITH_PARENT, ended_by_sigterm, undisturbed
from site_agent.home import SiteHome

RETRY_SECONDS = 10.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.2
ONLINE = b"SuperNode ID"
REFUSED = b"[code: 2004]"
WRONG_CERTIFICATE = b"CERTIFICATE_VERIFY_FAILED"
UNREACHABLE = b"Connection attempt failed"
PASSED_ON = re.compile(r"^(HOME|LANG|LC_\w+|TZ|TMPDIR|(https?|no)_proxy|(HTTPS?|NO)_PROXY|PYTHONPATH|OMP_NUM_THREADS)$")


def run(home: SiteHome, *, say: Callable[[str], None] = typer.echo) -> None:
    """Answers the coordinator through Flower until it is stopped (Ctrl-C or SIGTERM).

    Args:
        home: the site's home.
        say: takes one line for each change.

    Raises:
        ConsiliumError: the kit named no SuperLink, another agent runs for this home, or Flower is not installed.
    """
    from site_agent.agent import exchange
    from site_agent.service import Service
    from site_agent.witness import witness

    with ExitStack() as stack:
        stack.enter_context(ended_by_sigterm())
        stack.enter_context(_told(say))
        door = Service(home.path, home.config.site, partial(exchange, home), partial(witness, home))
        service = stack.enter_context(door)
        keep_online(node_of(home, service.socket), say)


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
    """

    site: str
    superlink: str
    authority: Path
    key: Path
    socket: Path
    folder: Path

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
    command = [
        *(sys.executable, "-c", WITH_PARENT, str(program)),
        *("--superlink", node.superlink, "--root-certificates", str(node.authority)),
        *("--auth-supernode-private-key", str(node.key), "--host", "127.0.0.1", "--port", str(_free_port())),
        *("--node-config", f'site="{node.site}" socket="{node.socket}"'),
    ]
    with node.log.open("wb") as log:
        return subprocess.Popen(
            command,
            env=environment(node.folder / "home", program.parent),
            cwd=node.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the SuperNode, which signs off if it is asked politely, and whatever it has started."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def environment(flower_home: Path, programs: Path) -> dict[str, str]:
    """What a SuperNode may know of its surroundings: nothing that was meant for somebody else."""
    known = {name: value for name, value in os.environ.items() if PASSED_ON.match(name)}
    no_proxy = ",".join(filter(None, ["localhost", "127.0.0.1", os.environ.get("NO_PROXY", "")]))
    return known | {
        "PATH": f"{programs}{os.pathsep}{os.defpath}",
        "NO_PROXY": no_proxy,
        "FLWR_HOME": str(flower_home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
    }


def _until_it_ends(node: Node, say: Callable[[str], None]) -> tuple[bool, str]:
    """Whether the SuperNode reached the coordinator, which is said when it does, and why it ended."""
    process: subprocess.Popen[bytes] | None = None
    news = {
        UNREACHABLE: f"{node.superlink} cannot be reached yet; trying on",
        ONLINE: f"site '{node.site}' is online at {node.superlink}; Ctrl-C stops",
    }
    try:
        with undisturbed():
            process = start(node)
        while process.poll() is None:
            if ONLINE in news:  # the log is read no longer than this
                for mark in [mark for mark in news if mark in node.log.read_bytes()]:
                    say(news.pop(mark))
            time.sleep(POLL_SECONDS)
        return ONLINE not in news, _reason(node)
    finally:
        with undisturbed():
            if process is not None:
                stop(process)


def _reason(node: Node) -> str:
    text = node.log.read_bytes()
    if WRONG_CERTIFICATE in text:
        return f"{node.superlink} is not the SuperLink that the kit vouches for"
    if REFUSED in text and ONLINE not in text:
        return f"{node.superlink} does not let this site in: not enrolled yet, or its last stop was unclean (a minute)"
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
