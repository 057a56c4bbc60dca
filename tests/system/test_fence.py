"""A site as it is set up, on a machine of its own: the way through both hops, and what a hostile bundle gets there."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from federated.envelope import parse_parcel
from server.client_certificates import strike, write_list
from site_agent.flower_executor import own_bundle
from tests.e2e.hospitals import wait_until
from tests.system.fenced import CONSILIUM, PLANTED, PLAX, SERVICES, SITE, UNITS, Fenced, fenced

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),  # Flower's, of its own builder
]

EXPOSED = 20  # of 100, by systemd's own count
HOSTILE = Path(__file__).parent / "hostile"
UNPINNED = """#!/opt/consilium/.venv/bin/python
from pathlib import Path
from site_agent import supernode
from site_agent.node import run_node

supernode.write_programs = lambda *_: Path("/opt/consilium/.venv/bin")  # Flower's own
run_node(Path("/etc/consilium/node"))
"""
HOME_FILES = (
    "catalogue.sqlite",
    "ledger.sqlite",
    "keys/site.pem",
    "keys/approver.pem",
    "keys/secret",
    "keys/flower",
    "keys/client.key",
    "policy.toml",
    "config.toml",
)
FILES = (
    PLANTED,
    f"/srv/images/{PLAX}/00.png",
    "/etc/consilium/forwarder/client.key",
    "/etc/consilium/forwarder/server.key",
    "/etc/shadow",
    "/etc/passwd",
    "/proc/1/environ",
    *(f"/srv/consilium/{name}" for name in HOME_FILES),
)
PATHS = (
    "/v1/control/list-nodes",
    "/v1/control/register-node",
    "/v1/control/start-run",
    "/v1/runtime/acquire-task",
    "/v1/fleet/register-node",
    "/v1/fleet/../control/list-nodes",
    "/v1/fleet/%2e%2e/control/list-nodes",
    "//v1/control/list-nodes",
    "/health",
    "/docs",
    "/v1/fleet/pull-messages",
)
OWN = ("/etc/consilium/node/", "/tmp/", "/var/tmp/", "/dev/shm/", "/dev/std", "/etc/ld.so.cache", "/etc/localtime")


class Listeners:
    """Ears of every kind on this machine's addresses, with which the hospital's machine shares its network."""

    def __init__(self, stack: ExitStack) -> None:
        self.heard: list[str] = []
        self.addresses: list[list[Any]] = []
        local = [a.address for found in psutil.net_if_addrs().values() for a in found if a.family == socket.AF_INET]
        for host in [*local, "127.9.9.9"]:
            self._listen(stack, "tcp", socket.AF_INET, (host, 0))
            self._listen(stack, "udp", socket.AF_INET, (host, 0))
        self._listen(stack, "unix", socket.AF_UNIX, f"\0consilium-{os.getpid()}")

    def _listen(self, stack: ExitStack, kind: str, family: int, bound: Any) -> None:
        ear = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM))
        ear.bind(bound)
        if kind != "udp":
            ear.listen()
        where = [bound.replace("\0", "@")] if kind == "unix" else ear.getsockname()
        self.addresses.append([kind, *where])
        threading.Thread(target=self._hear, args=(ear, kind), daemon=True).start()

    def _hear(self, ear: socket.socket, kind: str) -> None:
        with suppress(OSError):
            while True:
                if kind == "udp":
                    data, caller = ear.recvfrom(100)
                    ear.sendto(b"heard", caller)
                else:
                    near, _ = ear.accept()
                    with near:
                        data = near.recv(100)
                        near.sendall(b"heard")
                self.heard.append(f"{kind} {data!r}")


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fenced]:
    with fenced(tmp_path_factory.mktemp("fence")) as found:
        found.start()
        wait_until(lambda: found.link.online() == {SITE})
        yield found


@pytest.fixture(scope="module")
def listeners() -> Iterator[Listeners]:
    with ExitStack() as stack:
        made = Listeners(stack)
        for kind, *address in made.addresses:
            _reach_from_here(kind, address)
        wait_until(lambda: len(made.heard) == len(made.addresses))
        made.heard.clear()
        yield made


def _reach_from_here(kind: str, address: list[Any]) -> None:
    """What the hostile bundle tries, from where it must succeed."""
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as probe:
        probe.settimeout(10)
        probe.connect(address[0].replace("@", "\0") if kind == "unix" else tuple(address))
        probe.send(b"from here")
        assert probe.recv(16) == b"heard"


def _attack(hospital: Fenced, folder: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """What the coordinator gets of a hostile bundle that it sends."""
    bundle, out = folder / "hostile", folder / "out.json"
    shutil.copytree(HOSTILE, bundle, ignore=shutil.ignore_patterns("__pycache__"))
    text = (bundle / "pyproject.toml").read_text()
    text = text.replace('"OUT"', json.dumps(str(out))).replace('"WANTED"', json.dumps(json.dumps(wanted)))
    (bundle / "pyproject.toml").write_text(text)
    hospital.link.control.start(bundle, "attack", 60.0, "event")
    wait_until(out.exists)
    (answer,) = json.loads(out.read_text())
    found: dict[str, Any] = answer
    return found


def _wanted(hospital: Fenced, listeners: Listeners) -> dict[str, Any]:
    inside = hospital.link.listen.rpartition(":")
    outside = hospital.outside.rpartition(":")
    doors = [["tcp", inside[0], int(inside[2])], ["tcp", outside[0], int(outside[2])]]
    others = [["unix", "/run/systemd/private"], ["unix", "/run/dbus/system_bus_socket"], ["tcp6", "::1", 22]]
    return {
        "files": FILES,
        "addresses": [*listeners.addresses, *doors, *others],
        "forwarder": "/run/consilium-forwarder/forwarder.sock",
        "paths": PATHS,
        "parcel": (b'{"payload":"","payloadType":"x","signatures":[]}' * 3).hex(),
    }


def _unpin(hospital: Fenced) -> None:
    """The node as its unit starts it, but with Flower's own programs: the first wall is gone, the second stands."""
    hospital.stop_node()
    (hospital.machine.shared / "unpinned").write_text(UNPINNED)
    hospital.machine.run("install", "-m", "755", "/shared/unpinned", "/opt/consilium/.venv/bin/unpinned")
    hospital.run_node_as("/opt/consilium/.venv/bin/unpinned")
    wait_until(lambda: hospital.link.online() == {SITE})


def test_an_event_goes_through_both_hops_and_takes_out_nothing_that_is_not_allowed(hospital: Fenced) -> None:
    hospital.site("policy", "--write", "default", "--sign")
    summary = hospital.link.run_event(60.0)
    assert summary.accepted == ()
    assert "the coordinator's log was witnessed" in hospital.machine.said("consilium-site")
    assert "site 'ada' is online at" in hospital.machine.said("consilium-node")


def test_each_service_is_a_user_of_its_own_without_privileges(hospital: Fenced) -> None:
    users = hospital.machine.run("ps", "-e", "-o", "user:30=,args=")
    running = {line.split()[0] for line in users.splitlines() if "consilium" in line}
    assert {"consilium", "consilium-node", "consilium-forwarder"} <= running
    assert not any(line.startswith("root") and "flwr" in line for line in users.splitlines())
    for unit in ("consilium-site", "consilium-node"):
        leader = hospital.machine.run("systemctl", "show", "-P", "MainPID", unit).strip()
        status = hospital.machine.run("cat", f"/proc/{leader}/status")
        assert "CapBnd:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        routes = hospital.machine.run("cat", f"/proc/{leader}/net/route").splitlines()
        assert len(routes) == 1  # the heading


def test_a_site_that_is_struck_is_told_so_and_comes_back_by_itself(hospital: Fenced) -> None:
    folder = hospital.coordinator.home.certificates_path
    (file,) = folder.glob("clients/ada-*.crt")
    kept = file.read_bytes()
    strike(hospital.coordinator.home, SITE)
    hospital.gate.read_again()
    wait_until(lambda: "does not know this site's certificate" in hospital.machine.said("consilium-node"))
    file.write_bytes(kept)
    write_list(hospital.coordinator.home)
    hospital.gate.read_again()
    before = hospital.machine.said("consilium-node").count("is online at")
    wait_until(lambda: hospital.machine.said("consilium-node").count("is online at") > before)


def test_systemd_finds_no_fault_with_the_units_and_little_exposed(hospital: Fenced) -> None:
    for name in SERVICES:
        unit = f"/etc/systemd/system/{name}.service"
        verified = hospital.machine.run("sh", "-c", f"systemd-analyze verify --recursive-errors=no {unit} 2>&1")
        assert verified == ""
        hospital.machine.run("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSED}", unit)


def test_nginx_reads_the_list_of_sites_again_whenever_it_has_changed(hospital: Fenced) -> None:
    """The coordinator's two units, with a service in nginx's place that notes that it was told to."""
    noting = hospital.machine.shared / "nginx.service"
    noting.write_text("[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/cp /etc/hostname /shared/reloaded\n")
    hospital.machine.run("cp", "/shared/nginx.service", "/etc/systemd/system/nginx.service")
    hospital.machine.run("mkdir", "-p", "/srv/consilium/certificates")
    for name in ("consilium-gate.path", "consilium-gate.service"):
        shutil.copy(UNITS / name, hospital.machine.shared / name)
        hospital.machine.run("cp", f"/shared/{name}", f"/etc/systemd/system/{name}")
    hospital.machine.run("systemctl", "daemon-reload")
    hospital.machine.run("systemctl", "start", "nginx.service", "consilium-gate.path")
    for _ in range(2):
        note = hospital.machine.shared / "reloaded"
        note.unlink(missing_ok=True)
        replace = "cd /srv/consilium/certificates && date +%N > new && mv new gate-sites.conf"  # as write_whole does
        hospital.machine.run("sh", "-c", replace)
        wait_until(note.exists)
    hospital.machine.run("systemctl", "stop", "consilium-gate.path", "nginx.service")
    hospital.machine.run("rm", "-r", "/srv/consilium/certificates")


def test_a_bundle_that_was_not_reviewed_does_not_run_at_all(
    hospital: Fenced, listeners: Listeners, tmp_path: Path
) -> None:
    found = _attack(hospital, tmp_path, _wanted(hospital, listeners))
    assert set(found) == {"error"}
    assert "refused a bundle: it is sha256:" in found["error"]
    said = [line for line in hospital.machine.said("consilium-node").splitlines() if "refused" in line]
    assert len(said) == 1
    assert said[0].startswith("refused a bundle: it is sha256:")
    assert said[0].endswith(f"this site has reviewed {own_bundle()}")
    assert hospital.machine.run("find", "/tmp", "-path", "*attack*") == ""
    assert listeners.heard == []


def test_what_runs_behind_the_second_wall_gets_nothing_but_what_was_approved(
    hospital: Fenced, listeners: Listeners, tmp_path: Path
) -> None:
    _unpin(hospital)
    found = _attack(hospital, tmp_path, _wanted(hospital, listeners))
    assert found["user"] not in (0, os.getuid())
    assert {path: said for path, said in found["taken"].items() if said.startswith("read")} == {}
    assert [path for path in found["readable"] if not path.startswith(OWN)] == []
    assert found["others"] == []
    assert {where: said for where, said in found["reached"].items() if said.startswith("reached")} == {}
    assert listeners.heard == []
    assert {said.split()[1] for path, said in found["forwarder"].items() if "pull-messages" not in path} == {"403"}
    assert "done" not in found["escapes"].values(), found["escapes"]
    agent = found["agent"]
    assert agent["plain"] == ["ok"]  # the policy lets nothing out: nothing comes
    assert agent["forged"] == ["ok"]  # the forged parcel is not taken in
    assert [agent[name] for name in ("garbage", "huge", "witness")] == [["invalid"], ["invalid"], ["refused"]]
    assert {agent[name] for name in ("Catalogue", "Keys", "Images", "Approve", "../Exchange", "")} == {"UNIMPLEMENTED"}


def test_where_the_policy_lets_something_out_it_gets_the_sealed_parcels_and_no_more(
    hospital: Fenced, listeners: Listeners, tmp_path: Path
) -> None:
    hospital.site("policy", "--write", "permissive", "--replace", "--sign")
    found = _attack(hospital, tmp_path, _wanted(hospital, listeners))
    code, *parcels = found["agent"]["plain"]
    assert code == "ok"
    got = {parse_parcel(b64decode(parcel)).digest for parcel in parcels}
    receipts = json.loads(hospital.site("receipts", "--json"))
    assert got
    assert got <= {receipt["digest"] for receipt in receipts}
    assert listeners.heard == []
    assert {path: said for path, said in found["taken"].items() if said.startswith("read")} == {}


def test_a_site_that_has_reviewed_another_bundle_keeps_out_until_it_reviews_this_one(hospital: Fenced) -> None:
    fence = ("site", "fence", "/etc/consilium", "--home", "/srv/consilium")
    hospital.stop_node()
    hospital.machine.run(CONSILIUM, *fence, "--bundle", "sha256:" + "0" * 64)
    hospital.machine.run("systemctl", "restart", "consilium-forwarder.service")
    hospital.run_node_as(f"{CONSILIUM} site node /etc/consilium/node")
    wait_until(lambda: hospital.link.online() == {SITE})
    refused = hospital.link.run_event(60.0)
    assert {answer.unreached for answers in refused.rounds for answer in answers} == {"unreviewed"}
    assert refused.accepted == ()
    hospital.stop_node()
    hospital.machine.run(CONSILIUM, *fence)
    hospital.machine.run("systemctl", "restart", "consilium-forwarder.service")
    hospital.machine.run("systemctl", "start", "consilium-node.service")
    wait_until(lambda: hospital.link.online() == {SITE})
    summary = hospital.link.run_event(60.0)
    assert summary.number == 1
    assert {(found.kind, found.outcome) for found in summary.accepted} == {
        ("statistics", "accepted"),
        ("report", "accepted"),
    }
