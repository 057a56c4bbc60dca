"""A SuperNode that runs as another OS user reaches the agent's socket where it is let in, and no file of the site."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.enrolment import write_kit
from federated.keys import fingerprint, spoken_fingerprint
from federated.manifest import FrontEndCard
from federated.vocabulary import plain_vocabulary
from server.coordinator import Coordinator
from server.home import CoordinatorConfig, CoordinatorHome
from server.superlink import SuperLink
from shared_models.front_ends import create_front_end
from site_agent.supernode import environment as bare_environment
from tests.system.conftest import AGENT, COURIER, STRANGER, environment, free_port, run_as, start_as

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

PATIENTS = 40
AGENT_PROGRAM = """
import os, sys
from functools import partial
from pathlib import Path
from site_agent.agent import exchange
from site_agent.home import SiteHome
from site_agent.service import Service

os.umask(0o077)  # as `consilium site` does
home = SiteHome(Path(sys.argv[1]))
with Service(home.path, home.config.site, partial(exchange, home)) as service:
    print(service.socket, flush=True)
    sys.stdin.read()
"""
CALL_PROGRAM = """
import sys, grpc
with grpc.insecure_channel(f"unix:{sys.argv[1]}") as channel:
    try:
        print(list(channel.stream_stream("/consilium.site.Agent/Exchange")(iter([b'{"settled":[]}']), timeout=20))[0])
    except grpc.RpcError as error:
        print(error.code().name)
"""
READ_PROGRAM = """
import sys
for path in sys.stdin.read().splitlines():
    try:
        open(path, "rb").close()
        print(path)
    except PermissionError:
        pass
"""


@dataclass(frozen=True)
class Site:
    """A site whose agent runs as its own user: its home and its socket, and the coordinator that enrolled it."""

    home: Path
    socket: Path
    coordinator: CoordinatorHome


@pytest.fixture
def site(folder: Path, shared_python: str) -> Iterator[Site]:
    coordinator = _coordinator(folder)
    home = _join(folder, coordinator, shared_python)
    agent = start_as(AGENT, shared_python, "-c", AGENT_PROGRAM, str(home))
    assert agent.stdin is not None
    assert agent.stdout is not None
    with agent:
        yield Site(home, Path(agent.stdout.readline().strip()), coordinator)
        agent.stdin.close()
        agent.wait(20)


def _coordinator(folder: Path) -> CoordinatorHome:
    made = create_front_end("pixels")
    card = FrontEndCard(name=made.name, config=dict(made.config), digest=made.digest, features=made.features)
    address = f"127.0.0.1:{free_port()}"
    config = CoordinatorConfig(
        federation="views", name="heidi", task="classification", front_end=card, superlink=address
    )
    return CoordinatorHome.create(folder / "coordinator", config, plain_vocabulary("views", ["dark", "light"]))


def _join(folder: Path, coordinator: CoordinatorHome, python: str) -> Path:
    """A home that the agent's user made, with images and a policy, enrolled."""
    hospital, kit = folder / "hospital", folder / "north.kit.json"
    hospital.mkdir()
    hospital.chmod(0o711)
    _images(hospital / "images")
    invited = Coordinator(coordinator).invite("north")
    write_kit(invited, coordinator.key(), kit)
    kit.chmod(0o644)
    for path in [hospital, *hospital.rglob("*")]:
        os.chown(path, AGENT, AGENT)
    told = spoken_fingerprint(fingerprint(bytes.fromhex(invited.coordinator_public)))
    home = hospital / "home"
    joined = _site(python, home, "join", str(kit), "--fingerprint", told)
    Coordinator(coordinator).enrol(home / "request.json", joined.partition("telephone: ")[2].splitlines()[0])
    _site(python, home, "ingest", str(hospital / "images"))
    _site(python, home, "policy", "--write", "permissive", "--sign")
    return home


def _images(folder: Path) -> None:
    """Dark and light noise, one image a patient."""
    rng = np.random.default_rng(0)
    for label, level in (("dark", 40), ("light", 160)):
        (folder / label).mkdir(parents=True)
        for patient in range(PATIENTS):
            pixels = level + rng.integers(0, 60, (32, 32))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{patient:02d}.png")
    folder.chmod(0o700)


def _site(python: str, home: Path, command: str, *arguments: str) -> str:
    result = run_as(AGENT, python, "-m", "consilium", "site", command, *arguments, "--home", str(home))
    assert result.returncode == 0, result.stderr
    return result.stdout


def _let_in(site: Site) -> None:
    """What an administrator does once: the courier's group may pass two folders and use the socket."""
    for path, mode in ((site.home, 0o710), (site.socket.parent, 0o710), (site.socket, 0o660)):
        os.chown(path, AGENT, COURIER)
        path.chmod(mode)


def _call(python: str, user: int, site: Site) -> str:
    return run_as(user, python, "-c", CALL_PROGRAM, str(site.socket)).stdout


def test_another_user_reaches_nothing_by_default(site: Site, shared_python: str) -> None:
    assert "UNAVAILABLE" in _call(shared_python, COURIER, site)
    assert '"code": "ok"' in _call(shared_python, AGENT, site)


def test_a_third_user_is_kept_out_where_the_courier_is_let_in(site: Site, shared_python: str) -> None:
    _let_in(site)
    assert "UNAVAILABLE" in _call(shared_python, STRANGER, site)


def test_a_supernode_of_another_user_carries_an_event_and_can_read_no_file(site: Site, shared_python: str) -> None:
    _let_in(site)
    with SuperLink(site.coordinator) as link:
        node = _supernode(site, shared_python)
        try:
            link.wait_for_all(60)
            summary = link.run_event(60)
        finally:
            os.killpg(node.pid, signal.SIGTERM)
            print(node.communicate(timeout=30)[0])
    assert {(found.kind, found.outcome) for found in summary.accepted} == {
        ("statistics", "accepted"),
        ("report", "accepted"),
    }
    assert summary.number == 1
    files = [str(path) for path in site.home.parent.rglob("*") if path.is_file()]
    command = [shared_python, "-c", READ_PROGRAM]
    readable = subprocess.run(
        command, user=COURIER, group=COURIER, extra_groups=[], cwd="/", input="\n".join(files), text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    assert len(files) > PATIENTS
    assert readable.stdout.splitlines() == []


def _supernode(site: Site, python: str) -> subprocess.Popen[str]:
    """The node's key and the coordinator's certificate are all that the courier's user is given."""
    own = site.home.parent.parent / "courier"
    (own / "bin").mkdir(parents=True)
    for name in ("flower", "ca.crt"):
        shutil.copy(site.home / "keys" / name, own / name)
    for script in distribution("flwr").entry_points.select(group="console_scripts"):
        program = own / "bin" / script.name
        program.write_text(
            f"#!{python}\nimport sys\nfrom {script.module} import {script.attr}\nsys.exit({script.attr}())\n"
        )
        program.chmod(0o755)
    for path in [own, *own.rglob("*")]:
        os.chown(path, COURIER, COURIER)
    own.chmod(0o700)
    command = [
        str(own / "bin" / "flower-supernode"),
        *("--superlink", site.coordinator.config.superlink, "--root-certificates", str(own / "ca.crt")),
        *("--auth-supernode-private-key", str(own / "flower"), "--host", "127.0.0.1", "--port", str(free_port())),
        *("--node-config", f'site="north" socket="{site.socket}"'),
    ]
    packages = {"PYTHONPATH": environment()["PYTHONPATH"], "HOME": str(own)}
    return start_as(COURIER, *command, env=bare_environment(own / "home", own / "bin") | packages)
