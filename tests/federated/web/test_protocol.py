"""Who dawdles is cut off, before a request and within it; too many connections are not taken."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from federated.web import limits, protocol
from federated.web.door import Door
from tests.federated.web.house import house, token
from tests.federated.web.running import served

QUICK = 0.3
PATIENCE = 5.0
HEAD = b"POST /approve HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n"
FORM = b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 20\r\n\r\n"


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(protocol.DoorProtocol, "head_seconds", QUICK)
    monkeypatch.setattr(limits.read_body, "__kwdefaults__", {"seconds": QUICK})
    with served(house(tmp_path), Door(port=0)) as number:
        yield number


def _ends(caller: socket.socket) -> bytes:
    """All that comes until the other side closes, which it has to within the test's patience."""
    caller.settimeout(PATIENCE)
    came = b""
    try:
        while some := caller.recv(65536):
            came += some
    except ConnectionResetError:
        pass
    return came


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nhost: loc"])
def test_a_request_that_does_not_come(begun: bytes, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(begun)
        assert _ends(caller) == b""


def test_a_request_that_comes_letter_by_letter(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as caller, pytest.raises(ConnectionError):
        _dawdle(caller)


def _dawdle(caller: socket.socket) -> None:
    for letter in b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 200:
        caller.sendall(bytes([letter]))
        time.sleep(QUICK / 10)


def test_a_second_request_on_the_same_connection_has_to_come_in_time_too(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(b"GET /login HTTP/1.1\r\nhost: localhost\r\n\r\n")
        time.sleep(QUICK / 3)
        caller.sendall(b"GET /log")
        assert _ends(caller).startswith(b"HTTP/1.1 200")


def test_an_answer_that_is_not_taken_away(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol.DoorProtocol, "whole_seconds", QUICK)
    monkeypatch.setattr(protocol.DoorProtocol, "head_seconds", PATIENCE)
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(b"GET /login HTTP/1.1\r\nhost: localhost\r\n\r\n")
        begun = time.monotonic()
        assert _ends(caller).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - begun < 2.0, "before uvicorn would give a kept connection up"


def test_a_form_that_comes_too_slowly(port: int, tmp_path: Path) -> None:
    value = token(tmp_path, "approver").encode()
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(HEAD % value + FORM + b"a=")
        answer = _ends(caller)
    assert b" 408 " in answer.splitlines()[0]
    assert b"content-security-policy" in answer.lower()


def test_a_form_that_says_it_is_huge_is_not_waited_for(port: int, tmp_path: Path) -> None:
    value = token(tmp_path, "approver").encode()
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(HEAD % value + FORM.replace(b"20", b"99999999"))
        assert b" 413 " in _ends(caller).splitlines()[0]


def test_so_many_connections_and_no_more(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(protocol.DoorProtocol, "head_seconds", PATIENCE)
    callers = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
    time.sleep(0.1)
    with socket.create_connection(("127.0.0.1", port)) as third:
        assert _ends(third) == b""
    for caller in callers:
        caller.close()
