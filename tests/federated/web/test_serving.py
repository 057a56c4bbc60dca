"""The door as it is opened: plain on this machine, with TLS and certificates beyond."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from federated.errors import ConsiliumError
from federated.web.access import add_certificate
from federated.web.door import Door, Tls
from federated.web.headers import HEADERS
from federated.web.serving import address, listening, tls_context
from tests.federated.web.certificates import Pair, authority, leaf
from tests.federated.web.house import bearer, house, token
from tests.federated.web.running import served

ROOT = Path(__file__).resolve().parents[3]


def test_it_answers_and_every_answer_bears_the_headers(tmp_path: Path) -> None:
    value = token(tmp_path)
    with served(house(tmp_path), Door(port=0)) as port:
        home = f"http://127.0.0.1:{port}"
        known, unknown = httpx.get(home, headers=bearer(value)), httpx.get(home)
    assert (known.status_code, unknown.status_code) == (200, 401)
    for answer in (known, unknown):
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert "uvicorn" not in str(answer.headers)


def test_a_port_that_is_taken() -> None:
    with listening(Door(port=0)) as listener, pytest.raises(ConsiliumError, match="cannot listen there"):
        listening(Door(port=listener.getsockname()[1]))


def test_an_address_of_another_machine() -> None:
    with pytest.raises(ConsiliumError, match="cannot listen there"):
        listening(Door(host="192.0.2.1", port=0))


def test_what_to_open() -> None:
    tls = Tls(Path("c"), Path("k"))
    assert address(Door(), 8080) == "http://127.0.0.1:8080/"
    assert address(Door(host="::1"), 8080) == "http://[::1]:8080/"
    assert address(Door(host="0.0.0.0", names=("audit.example",), tls=tls), 443) == "https://audit.example:443/"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Pair, Pair]:
    """An authority, and the server's certificate."""
    signer = authority(tmp_path, "ca")
    return signer, leaf(tmp_path, signer, "server")


def _get(port: int, signer: Pair, client: Pair | None = None, headers: dict[str, str] | None = None) -> httpx.Response:
    context = ssl.create_default_context(cafile=signer.certificate)
    if client:
        context.load_cert_chain(client.certificate, client.key)
    return httpx.get(f"https://localhost:{port}/secret", verify=context, headers=headers)


def test_a_client_certificate_is_as_good_as_a_token(tmp_path: Path, pair: tuple[Pair, Pair]) -> None:
    signer, server = pair
    ada, ben = leaf(tmp_path, signer, "ada"), leaf(tmp_path, signer, "ben")
    add_certificate(tmp_path / "access.toml", "ada", "approver", ada.certificate, days=3)
    door = Door(host="127.0.0.1", port=0, tls=Tls(server.certificate, server.key, signer.certificate))
    with served(house(tmp_path, door=door), door) as port:
        assert _get(port, signer, ada).status_code == 200
        assert _get(port, signer, ben).status_code == 401, "signed by the authority, and let in by nobody"
        assert _get(port, signer).status_code == 401
        assert _get(port, signer, headers=bearer(token(tmp_path, "approver", "cem"))).status_code == 200
        stranger = leaf(tmp_path, authority(tmp_path, "other"), "ada")
        with pytest.raises((httpx.HTTPError, ssl.SSLError)):
            _get(port, signer, stranger)


def test_old_tls_is_not_spoken(pair: tuple[Pair, Pair]) -> None:
    _, server = pair
    assert tls_context(Tls(server.certificate, server.key)).minimum_version == ssl.TLSVersion.TLSv1_2


def test_files_that_are_no_certificates(tmp_path: Path, pair: tuple[Pair, Pair]) -> None:
    signer, server = pair
    other = tmp_path / "other"
    other.write_text("nothing")
    for tls in (
        Tls(other, server.key),
        Tls(server.certificate, signer.key),
        Tls(server.certificate, server.key, other),
        Tls(tmp_path / "none", server.key),
    ):
        with pytest.raises(ConsiliumError, match="cannot be used"):
            tls_context(tls)


def test_a_first_line_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    with served(house(tmp_path), Door(port=0)) as port, socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(b"GET /" + b"x" * 40_000)
        assert b" 400 " in caller.recv(100).splitlines()[0]


SERVED = """
import sys
from pathlib import Path
from federated.web.door import Door
from federated.web.serving import serve
from tests.federated.web.house import house
serve(house(Path(sys.argv[1]), loopback=True), Door(port=0), announce=lambda where: print(where, flush=True))
"""


@pytest.mark.parametrize(("ends", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_it_says_where_and_what_was_asked_and_ends_when_told(ends: signal.Signals, code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        home = process.stdout.readline().strip()
        answer = httpx.get(f"{home}thing/one?name=quiet", trust_env=False)
        process.send_signal(ends)
        _, said = process.communicate(timeout=20)
    assert answer.status_code == 200
    assert "this machine GET /thing/one 200" in said
    assert "quiet" not in said
    assert "Traceback" not in said
    assert process.returncode == code
