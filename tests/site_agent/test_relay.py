from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from site_agent.relay import relay


def _everything(near: socket.socket) -> bytes:
    return b"".join(iter(lambda: near.recv(65536), b""))


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Path]:
    """Says everything back once the other side has said all, with a mark behind."""
    path = tmp_path / "s"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def answer() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with near:
                near.sendall(_everything(near) + b"!")

    thread = threading.Thread(target=answer)
    thread.start()
    yield path
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


def _ask(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as near:
        near.sendall(data)
        near.shutdown(socket.SHUT_WR)
        return _everything(near)


def test_bytes_pass_both_ways_one_connection_after_another(echo: Path) -> None:
    data = bytes(range(256)) * 5000  # more than the buffers on the way hold
    with relay(echo) as port:
        assert _ask(port, data) == data + b"!"
        assert _ask(port, b"again") == b"again!"


def test_many_connections_at_a_time_do_not_mix(echo: Path) -> None:
    answers: dict[int, bytes] = {}
    with relay(echo) as port:
        threads = [
            threading.Thread(target=lambda n=n: answers.__setitem__(n, _ask(port, b"%d" % n))) for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert answers == {n: b"%d!" % n for n in range(20)}


def test_where_nobody_listens_the_caller_is_hung_up_on(tmp_path: Path) -> None:
    with relay(tmp_path / "nobody") as port:
        assert _ask(port, b"") == b""


def test_the_port_is_on_loopback_and_shut_afterwards(echo: Path) -> None:
    with relay(echo) as port:
        _ask(port, b"x")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
