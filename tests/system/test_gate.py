"""nginx with the gate's configuration: a site takes part in events through it, and reaches nothing else."""

from __future__ import annotations

import http.client
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from server.superlink import SuperLink
from tests.e2e.hospitals import Hospital, address, found, join, wait_until
from tests.system.conftest import ROOT

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),  # Flower's, of its own builder
]

GATE = ROOT / "deploy" / "nginx" / "gate.conf"
AROUND = "pid {folder}/pid; error_log {folder}/error.log; events {{}} http {{ access_log off; {places} {gate} }}"
PLACES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def _configuration(folder: Path, certificates: Path, listen: str, superlink: str) -> str:
    """The gate's configuration as it is shipped, at addresses and in folders of this test."""
    gate = GATE.read_text(encoding="utf-8")
    changes = {"443": listen, "127.0.0.1:18000": superlink, "/srv/consilium/certificates": str(certificates)}
    for shipped, here in changes.items():
        assert shipped in gate
        gate = gate.replace(shipped, here)
    places = " ".join(f"{name}_temp_path {folder}/{name};" for name in PLACES)
    return AROUND.format(folder=folder, places=places, gate=gate)


@pytest.fixture
def through_the_gate(tmp_path: Path) -> Iterator[tuple[SuperLink, Hospital, str]]:
    """A SuperLink behind nginx, and a hospital whose kit names the gate."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if nginx is None:
        pytest.fail("nginx is not installed: apt-get install nginx", pytrace=False)
    outside, inside = address(), address()
    coordinator = found(tmp_path, outside)
    hospital = Hospital(join(coordinator, "ada"))
    configuration = tmp_path / "nginx.conf"
    certificates = coordinator.home.certificates_path
    configuration.write_text(_configuration(tmp_path, certificates, outside, inside), encoding="utf-8")
    gate = subprocess.Popen([nginx, "-c", str(configuration), "-e", str(tmp_path / "error.log"), "-g", "daemon off;"])
    try:
        with SuperLink(coordinator.home, inside) as link:
            link.admit()
            yield link, hospital, outside
            hospital.stop()
    finally:
        hospital.stop()
        gate.terminate()
        gate.wait()


def _status(outside: str, authority: Path, path: str, method: str = "POST") -> int:
    context = ssl.create_default_context(cafile=str(authority))
    host, _, port = outside.rpartition(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
    try:
        connection.request(method, path, body=b"", headers={"content-type": "application/protobuf"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_site_takes_part_in_an_event_through_the_gate(through_the_gate: tuple[SuperLink, Hospital, str]) -> None:
    link, hospital, _ = through_the_gate
    hospital.start()
    wait_until(lambda: link.online() == {"ada"})
    assert link.run_event(60.0).number == 1


def test_nothing_but_the_fleets_paths_is_reached(through_the_gate: tuple[SuperLink, Hospital, str]) -> None:
    _, hospital, outside = through_the_gate
    authority = hospital.home.ca_path

    def up() -> bool:
        with suppress(OSError):
            return _status(outside, authority, "/") == 403
        return False

    wait_until(up)
    closed = (
        "/health",
        "/docs",
        "/v1/control/list-nodes",
        "/v1/control/start-run",
        "/v1/runtime/acquire-task",
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/v1/fleet/../control/list-nodes",
        "/v1/fleet/%2e%2e/control/list-nodes",
        "/v1/control/list-nodes?x=/v1/fleet/get-run",
        "//v1/control/list-nodes",
    )
    assert {path: _status(outside, authority, path) for path in closed} == dict.fromkeys(closed, 403)
    assert _status(outside, authority, "/v1/fleet/get-run", "GET") == 403
    # What is let through is as it was matched, however it was written; then the SuperLink asks who this is.
    assert _status(outside, authority, "/v1/fleet/pull-messages") == 401
    assert _status(outside, authority, "/v1/control/..%2ffleet/pull-messages") == 401
