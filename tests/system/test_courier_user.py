"""A courier that runs as another OS user reaches the agent's socket where it is let in, and no file of the site."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.conftest import AGENT, COURIER, STRANGER, environment, run_as

pytestmark = pytest.mark.system

AGENT_PROGRAM = """
import sys, time
from pathlib import Path
from site_agent.service import Service

with Service(Path(sys.argv[1]), "north", lambda parcels, settled: [*parcels, b"from the agent"]) as service:
    print(service.socket, flush=True)
    sys.stdin.read()
"""
COURIER_PROGRAM = """
import sys
from site_agent import flower_app

from flwr.app import ConfigRecord, RecordDict

content = RecordDict({
    "request": ConfigRecord({"header": b'{"settled":[]}', "seconds": 10.0}),
    "parcels": flower_app.pack([b"a parcel"]),
})
try:
    print(flower_app._ask(content, sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error.code().name)
"""
SECRETS = ("keys/site.pem", "catalogue.sqlite", "inbox/release.parcel", "config.toml")


@dataclass(frozen=True)
class Site:
    """A running agent: its home and its socket."""

    home: Path
    socket: Path


@pytest.fixture
def site(shared_python: str) -> Iterator[Site]:
    """An agent that runs as its own user, in a home of the usual permissions."""
    folder = Path(tempfile.mkdtemp(prefix="consilium-"))
    folder.chmod(0o711)
    home = folder / "home"
    for name in SECRETS:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret", encoding="utf-8")
        path.chmod(0o600)
    for path in [home, *home.rglob("*")]:
        os.chown(path, AGENT, AGENT)
    command = [shared_python, "-c", AGENT_PROGRAM, str(home)]
    agent = subprocess.Popen(
        command,
        user=AGENT,
        group=AGENT,
        extra_groups=[],
        cwd="/",
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert agent.stdin is not None
    assert agent.stdout is not None
    try:
        yield Site(home, Path(agent.stdout.readline().strip()))
    finally:
        agent.stdin.close()
        agent.wait(20)
        agent.stdout.close()
        shutil.rmtree(folder)


def _let_in(site: Site) -> None:
    """What an administrator does once: the courier's group may pass the folder and use the socket."""
    for path, mode in ((site.socket.parent, 0o710), (site.socket, 0o660)):
        os.chown(path, AGENT, COURIER)
        path.chmod(mode)


def _ask(python: str, user: int, site: Site) -> str:
    return run_as(user, python, "-c", COURIER_PROGRAM, str(site.socket)).stdout


def test_another_user_reaches_nothing_by_default(site: Site, shared_python: str) -> None:
    assert "UNAVAILABLE" in _ask(shared_python, COURIER, site)
    assert "from the agent" in _ask(shared_python, AGENT, site)


def test_a_courier_that_is_let_in_reaches_the_socket_and_no_file(site: Site, shared_python: str) -> None:
    _let_in(site)
    assert "from the agent" in _ask(shared_python, COURIER, site)
    for name in SECRETS:
        result = run_as(COURIER, "/bin/cat", str(site.home / name))
        assert result.returncode != 0, name
        assert "Permission denied" in result.stderr
        assert "secret" not in result.stdout
    assert run_as(COURIER, "/bin/rm", "-f", str(site.socket)).returncode != 0
    assert run_as(COURIER, "/bin/ls", str(site.socket.parent)).returncode != 0


def test_a_third_user_is_still_kept_out(site: Site, shared_python: str) -> None:
    _let_in(site)
    assert "UNAVAILABLE" in _ask(shared_python, STRANGER, site)
