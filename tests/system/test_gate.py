"""nginx with the gate's configuration before a real SuperLink: who passes, and to what."""

from __future__ import annotations

import http.client
import shutil
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from federated.keys import fingerprint, public_hex
from server.client_certificates import issue, strike, write_list
from server.coordinator import Coordinator
from server.node_keys import node_keys
from server.superlink import SuperLink
from site_agent.certificate import ask, standing, take
from site_agent.home import SiteHome
from tests.e2e.hospitals import address, found, wait_until
from tests.system.gate import Gate, gate

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),  # Flower's, of its own builder
]

PULL = "/v1/fleet/pull-messages"
NOT_LISTED = -401  # the gate's own 401; the SuperLink has one as well, for whoever does not sign
CALLS = ("register-node", "unregister-node", "list-nodes", "start-run", "stop-run", "list-runs", "stream-logs")
CLOSED = (
    *(f"/v1/control/{call}" for call in CALLS),
    "/v1/runtime/acquire-task",
    "/v1/runtime/create-task",
    "/v1/fleet/register-node",
    "/v1/fleet/unregister-node",
    "/v1/fleet/",
    "/v1/fleet",
    "/health",
    "/docs",
    "/openapi.json",
    "/redoc",
    "/",
)
SPELLINGS = (
    "/v1/fleet/../control/list-nodes",
    "/v1/fleet/%2e%2e/control/list-nodes",
    "/v1/fleet/..%2fcontrol/list-nodes",
    "/v1/fleet/pull-messages/../../control/list-nodes",
    "/v1/fleet/pull-messages%2f..%2f..%2fcontrol%2flist-nodes",
    "/v1/fleet/pull-messages/%2e%2e/%2e%2e/control/list-nodes",
    "/v1/fleet/pull-messages%00/../../control/list-nodes",
    "/v1/fleet/pull-messages;/../../control/list-nodes",
    "/v1/fleet/pull-messages\\..\\..\\control\\list-nodes",
    "/v1/fleet/pull-messages%0a/v1/control/list-nodes",
    "/v1/control/list-nodes?x=/v1/fleet/pull-messages",
    "/v1/control/list-nodes#/v1/fleet/pull-messages",
    "//v1/control/list-nodes",
    "/./v1/control/list-nodes",
    "/v1/./control/list-nodes",
    "/v1//control//list-nodes",
    "/%76%31/%63ontrol/list-nodes",
    "/V1/control/list-nodes",
    "/v1/control/list-nodes/",
    "/v1/control/list%2dnodes",
    "https://localhost/v1/control/list-nodes",
    "http://127.0.0.1/v1/control/list-nodes",
)


@dataclass(frozen=True)
class Door:
    """A SuperLink behind the gate, and two enrolled sites that have certificates."""

    coordinator: Coordinator
    link: SuperLink
    gate: Gate
    outside: str
    sites: dict[str, SiteHome]

    @property
    def authority(self) -> Path:
        """What every kit vouches for."""
        return self.coordinator.home.certificates_path / "ca.crt"

    def key(self, site: str) -> str:
        """What a site's node says of itself."""
        return b64encode(node_keys(self.coordinator.home)[site]).decode()

    @property
    def address(self) -> tuple[str, int]:
        """Where the gate is."""
        host, _, port = self.outside.rpartition(":")
        return host, int(port)

    def context(self, shown: tuple[Path, Path] | None) -> ssl.SSLContext:
        """What a client believes, and shows."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if shown is not None:
            context.load_cert_chain(*shown)
        return context

    def status(
        self,
        path: str,
        shown: tuple[Path, Path] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        method: str = "POST",
    ) -> int:
        """What is answered to whoever shows this certificate; 0 where the gate hangs up."""
        connection = http.client.HTTPSConnection(*self.address, context=self.context(shown), timeout=30)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (*headers, ("Content-Type", "application/protobuf"), ("Content-Length", "0")):
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return NOT_LISTED if answer.read() == b"not on the list of this gate\n" else answer.status
        except (ssl.SSLError, ConnectionResetError, http.client.RemoteDisconnected):
            return 0
        finally:
            connection.close()

    def of(self, site: str, path: str, method: str = "POST") -> int:
        """What a site with its own certificate and node key is answered."""
        return self.status(path, standing(self.sites[site]), (("flwr-public-key", self.key(site)),), method)


def _join(coordinator: Coordinator, name: str) -> SiteHome:
    folder = coordinator.home.path.parent
    home = SiteHome.create(folder / name, coordinator.invite(name))
    coordinator.enrol(home.request_path, fingerprint(bytes.fromhex(public_hex(home.key()))))
    take(home, issue(coordinator.home, ask(home))[1])
    return home


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("gate")
    outside, inside = address(), address()
    coordinator = found(folder, outside)
    write_list(coordinator.home)
    with SuperLink(coordinator.home, inside) as link:
        sites = {name: _join(coordinator, name) for name in ("ada", "ben")}
        link.admit()
        with gate(folder, coordinator.home.certificates_path, outside, inside) as guard:
            made = Door(coordinator, link, guard, outside, sites)
            wait_until(lambda: _answers(made))
            yield made


def _answers(door: Door) -> bool:
    with suppress(OSError):
        return door.status("/") > 0
    return False


def _asked(connection: http.client.HTTPSConnection, headers: dict[str, str]) -> int:
    """What is answered on a connection that is kept open; NOT_LISTED where it was cut off or the gate refuses."""
    try:
        if connection.sock is None:
            connection.connect()
        connection.auto_open = 0
        connection.request("POST", PULL, body=b"", headers=headers)
        answer = connection.getresponse()
        return NOT_LISTED if answer.read() == b"not on the list of this gate\n" else answer.status
    except (http.client.HTTPException, OSError):
        return NOT_LISTED


def _undisturbed(door: Door) -> bool:
    """Whether nothing has come of all the knocking: the nodes are those of enrolled sites, and there is no run."""
    from flwr.proto.control_pb2 import ListRunsRequest

    known = sorted(node.public_key for node in door.link.control.nodes())
    runs = door.link.control._client.ListRuns(ListRunsRequest()).run_dict
    return known == sorted(node_keys(door.coordinator.home).values()) and not runs


def test_with_the_authoritys_certificate_alone_nothing_is_reached(door: Door) -> None:
    headers = (("flwr-public-key", door.key("ada")),)
    paths = (*CLOSED, *SPELLINGS, PULL)
    assert {path: door.status(path, None, headers) for path in paths} == dict.fromkeys(paths, 400)
    assert _undisturbed(door)


def test_with_a_certificate_and_its_node_key_only_the_fleets_calls_are_reached(door: Door) -> None:
    assert door.of("ada", PULL) == 401  # the SuperLink's answer, who wants to see a signature
    assert {path: door.of("ada", path) for path in CLOSED} == dict.fromkeys(CLOSED, 403)
    assert {door.of("ada", PULL, method) for method in ("GET", "PUT", "DELETE", "OPTIONS", "HEAD")} == {403}
    assert _undisturbed(door)


def test_no_way_of_writing_a_path_leads_elsewhere(door: Door) -> None:
    answers = {path: door.of("ada", path) for path in SPELLINGS}
    assert set(answers.values()) <= {400, 403}
    assert door.of("ada", "/v1/control/..%2ffleet/pull-messages") == 401  # a fleet call, however it was written
    assert _undisturbed(door)


def test_a_body_does_not_smuggle_a_second_call(door: Door) -> None:
    context = door.context(standing(door.sites["ada"]))
    inner = b"POST /v1/control/list-nodes HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    kind = "Content-Type: application/protobuf\r\n"
    head = f"POST {PULL} HTTP/1.1\r\nHost: x\r\n{kind}flwr-public-key: {door.key('ada')}\r\n"
    for lengths in (
        f"Content-Length: {len(inner)}\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 0\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 0\r\n",
    ):
        connection = http.client.HTTPSConnection(*door.address, context=context, timeout=10)
        connection.connect()
        connection.sock.settimeout(3)
        connection.sock.sendall((head + lengths + "\r\n").encode() + b"0\r\n\r\n" + inner)
        data = b""
        with suppress(OSError):
            while more := connection.sock.recv(65536):
                data += more
        connection.close()
        answers = [line.split()[1] for line in data.split(b"\r\n") if line.startswith(b"HTTP/1.")]
        assert answers, lengths
        assert set(answers) <= {b"400", b"401", b"403", b"501"}, lengths
    assert _undisturbed(door)


def test_a_certificate_passes_with_the_node_key_of_its_own_site_only(door: Door) -> None:
    ada = standing(door.sites["ada"])
    keys = {name: ("flwr-public-key", door.key(name)) for name in ("ada", "ben")}
    assert door.status(PULL, ada, (keys["ada"],)) == 401
    assert door.status(PULL, ada, (keys["ben"],)) == NOT_LISTED
    assert door.status(PULL, ada) == NOT_LISTED
    assert door.status(PULL, ada, (keys["ben"], keys["ada"])) == NOT_LISTED
    assert door.status(PULL, standing(door.sites["ben"]), (keys["ben"],)) == 401


def test_the_superlink_sees_the_node_key_that_the_gate_has_looked_at_and_no_second_one(door: Door) -> None:
    text = door.gate.configuration.read_text()
    assert text.count("proxy_set_header flwr-public-key $http_flwr_public_key;") == 1
    keys = tuple(("flwr-public-key", door.key(name)) for name in ("ada", "ben"))
    assert door.status(PULL, standing(door.sites["ada"]), keys) == 401


def test_certificates_of_other_makers_and_for_other_uses_are_refused(door: Door, tmp_path: Path) -> None:
    certificates = door.coordinator.home.certificates_path
    server = (certificates / "server.crt", certificates / "server.key")
    assert door.status(PULL, server, (("flwr-public-key", door.key("ada")),)) == 400
    stranger = found(tmp_path, "127.0.0.1:1")
    theirs = _join(stranger, "ada")  # a site of the same name, in another federation
    assert door.status(PULL, standing(theirs), (("flwr-public-key", door.key("ada")),)) == 400
    shutil.rmtree(tmp_path / "hub")


def test_who_is_struck_is_out_as_soon_as_the_list_is_read_again(door: Door) -> None:
    assert door.of("ben", PULL) == 401
    before = standing(door.sites["ben"])
    kept = http.client.HTTPSConnection(*door.address, context=door.context(before), timeout=30)
    headers = {"flwr-public-key": door.key("ben"), "content-type": "application/protobuf"}
    assert _asked(kept, headers) == 401
    strike(door.coordinator.home, "ben")
    door.gate.read_again()
    wait_until(lambda: _asked(kept, headers) != 401)  # a connection that was open outlives nothing
    kept.close()
    wait_until(lambda: door.of("ben", PULL) == NOT_LISTED)
    take(door.sites["ben"], issue(door.coordinator.home, ask(door.sites["ben"]))[1])
    door.gate.read_again()
    wait_until(lambda: door.of("ben", PULL) == 401)
    assert before == standing(door.sites["ben"])  # the same two files, with another content
    said = (("flwr-public-key", door.key("ben")),)
    door.coordinator.revoke("ben")
    door.link.admit()  # as the coordinator's program does every two seconds
    door.gate.read_again()
    wait_until(lambda: door.status(PULL, standing(door.sites["ben"]), said) == NOT_LISTED)
