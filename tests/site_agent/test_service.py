from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

import site_agent.service
from federated.errors import ConsiliumError
from site_agent.service import Door, Service, Settled, socket_path

DIGEST = "sha256:" + "0" * 64
NOTHING = b'{"settled":[]}'


def _call(path: Path, *messages: bytes, timeout: float | None = 10) -> list[bytes]:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"unix:{path}", options=options) as channel:
        return list(channel.stream_stream("/consilium.site.Agent/Exchange")(iter(messages), timeout=timeout))


def _code(answer: list[bytes]) -> str:
    header = json.loads(answer[0])
    assert header["site"] == "north"
    return str(header["code"])


def _echo(parcels: list[bytes], settled: Settled) -> list[bytes]:
    return [*parcels, repr(settled).encode()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def echo(home: Path) -> Iterator[Service]:
    with Service(home, "north", _echo) as service:
        yield service


def test_parcels_and_outcomes_reach_the_agent_and_its_parcels_come_back(echo: Service) -> None:
    header = json.dumps({"settled": [[DIGEST, "accepted"]]}).encode()
    large = os.urandom(6 * 2**20)  # past gRPC's own limit of 4 MiB
    answer = _call(echo.socket, header, b"one", large)
    assert _code(answer) == "ok"
    assert answer[1:] == [b"one", large, repr([(DIGEST, "accepted")]).encode()]


def test_only_the_owner_can_open_the_socket(echo: Service) -> None:
    assert echo.socket.stat().st_mode & 0o777 == 0o600
    assert echo.socket.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"[]", b'{"settled":[["sha256:0","accepted"]]}', b'{"settled":[],"more":1}'],
)
def test_what_is_not_an_exchange_is_answered_with_a_code(echo: Service, header: bytes) -> None:
    answer = _call(echo.socket, header, b"parcel")
    assert (_code(answer), answer[1:]) == ("invalid", [])


def test_a_header_that_is_too_long_is_not_read(echo: Service) -> None:
    """Though it would be one: it is looked at before it is parsed."""
    long = NOTHING + b" " * site_agent.service.MAX_HEADER_BYTES
    assert _code(_call(echo.socket, long)) == "invalid"
    assert _code(_call(echo.socket, NOTHING + b" " * 9)) == "ok"


def test_an_empty_call_and_one_without_a_deadline_are_answered_with_a_code(echo: Service) -> None:
    assert _code(_call(echo.socket)) == "invalid"
    assert _code(_call(echo.socket, NOTHING, timeout=None)) == "invalid"


def test_more_parcels_than_allowed_are_answered_with_a_code(echo: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_agent.service, "MAX_PARCELS", 2)
    assert _code(_call(echo.socket, NOTHING, b"1", b"2")) == "ok"
    assert _code(_call(echo.socket, NOTHING, b"1", b"2", b"3")) == "invalid"
    monkeypatch.setattr(site_agent.service, "MAX_EXCHANGE_BYTES", 3)
    assert _code(_call(echo.socket, NOTHING, b"12", b"34")) == "invalid"


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConsiliumError("patient 4711 is in two splits"), "refused"), (RuntimeError("patient 4711"), "failed")],
)
def test_what_went_wrong_is_told_to_the_hospital_alone(
    home: Path, caplog: pytest.LogCaptureFixture, error: Exception, code: str
) -> None:
    def fail(_parcels: list[bytes], _settled: Settled) -> list[bytes]:
        raise error

    with Service(home, "north", fail) as service:
        answer = _call(service.socket, NOTHING)
    assert answer == [json.dumps({"site": "north", "code": code}).encode()]
    assert "patient 4711" in caplog.text


def test_a_second_exchange_at_once_is_told_to_wait(home: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_parcels: list[bytes], _settled: Settled) -> list[bytes]:
        entered.set()
        assert leave.wait(10)
        return [b"done"]

    with Service(home, "north", slow) as service:
        first: list[bytes] = []
        caller = threading.Thread(target=lambda: first.extend(_call(service.socket, NOTHING)))
        caller.start()
        assert entered.wait(10)
        assert _code(_call(service.socket, NOTHING)) == "busy"
        leave.set()
        caller.join()
        assert first[1:] == [b"done"]


def test_one_home_has_one_agent_and_a_stale_socket_is_no_hindrance(home: Path) -> None:
    with Service(home, "north", _echo) as first:
        with pytest.raises(ConsiliumError, match="another agent already runs for this home"), Service(home, "n", _echo):
            pass
        assert _code(_call(first.socket, NOTHING)) == "ok"
    with socket.socket(socket.AF_UNIX) as left_behind:
        first.socket.unlink(missing_ok=True)
        left_behind.bind(str(first.socket))
    with Service(home, "north", _echo) as second:
        assert _code(_call(second.socket, NOTHING)) == "ok"


@pytest.mark.parametrize("name", ["x" * 120, "a home, in 100 % of cases"])
def test_a_home_too_long_or_odd_for_an_address_gets_a_socket_elsewhere(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_agent.service.tempfile, "gettempdir", lambda: str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    homes = [tmp_path / name, tmp_path / f"{name}2"]
    paths = [socket_path(home) for home in homes]
    assert len(set(paths)) == 2
    assert {path.parent for path in paths} == {tmp_path / "t" / f"consilium-{os.getuid()}"}
    assert paths[0].parent.stat().st_mode & 0o777 == 0o700


def test_a_runtime_folder_laid_by_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_agent.service.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"consilium-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConsiliumError, match="belongs to somebody else"):
        socket_path(tmp_path / ("x" * 120))


def test_a_door_outside_the_home_is_for_a_group_and_one_agent_still_has_one_home(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    door = Door(folder / "agent.sock", os.getgid())
    with Service(home, "north", _echo, door=door) as service:
        assert service.socket == door.socket
        assert _code(_call(door.socket, NOTHING)) == "ok"
        assert (folder.stat().st_mode & 0o777, door.socket.stat().st_mode & 0o777) == (0o710, 0o660)
        with pytest.raises(ConsiliumError, match="another agent already runs for this home"):
            Service(home, "north", _echo).__enter__()
    assert [path.name for path in folder.iterdir()] in ([], ["agent.sock"])


def test_a_door_in_a_folder_that_is_not_there_is_one_line(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="the agent's socket cannot be made"):
        Service(home, "north", _echo, door=Door(tmp_path / "none" / "agent.sock", os.getgid())).__enter__()
