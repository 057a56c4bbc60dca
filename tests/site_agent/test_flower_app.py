from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from federated.errors import ConsiliumError
from site_agent.flower_app import app, pack, unpack
from site_agent.service import Service, Settled

DIGEST = "sha256:" + "0" * 64
NOTHING = b'{"settled":[]}'


@pytest.fixture(autouse=True)
def task(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message can be made by hand only inside a Flower task; this says that the test is one."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    def agent(parcels: list[bytes], settled: Settled) -> list[bytes]:
        if not parcels:
            raise ConsiliumError("patient 4711 is in two splits")
        return [*parcels, json.dumps(settled).encode()]

    with Service(tmp_path, "north", agent) as running:
        yield running


def _send(path: Path, request: ConfigRecord, parcels: list[bytes]) -> tuple[dict[str, str], list[bytes]]:
    content = RecordDict({"request": request, "parcels": pack(parcels)})
    return _deliver(path, content)


def _deliver(path: Path, content: RecordDict) -> tuple[dict[str, str], list[bytes]]:
    message = Message(content=content, dst_node_id=7, message_type="query.exchange")
    context = Context(run_id=1, node_id=7, node_config={"socket": str(path)}, state=RecordDict(), run_config={})
    reply = app(message, context)
    assert not reply.has_error()
    answer, arrays = reply.content["answer"], reply.content["parcels"]
    assert isinstance(answer, ConfigRecord)
    assert isinstance(arrays, ArrayRecord)
    header = answer["header"]
    assert isinstance(header, bytes)
    return json.loads(header), unpack(arrays)


def _request(header: bytes = NOTHING, seconds: float = 10.0) -> ConfigRecord:
    return ConfigRecord({"header": header, "seconds": seconds})


def test_bytes_come_and_go_unchanged(service: Service) -> None:
    header = json.dumps({"settled": [[DIGEST, "accepted"]]}).encode()
    parcels = [b"\x00\xff", b"", b"same", b"same"]
    answer, back = _send(service.socket, _request(header), parcels)
    assert answer == {"site": "north", "code": "ok"}
    assert back == [*parcels, json.dumps([[DIGEST, "accepted"]]).encode()]


def test_more_than_ten_parcels_keep_their_order(service: Service) -> None:
    parcels = [bytes([i]) for i in range(120)]
    assert _send(service.socket, _request(), parcels)[1][:120] == parcels


def test_an_error_of_the_agent_travels_as_a_code(service: Service) -> None:
    assert _send(service.socket, _request(), []) == ({"site": "north", "code": "refused"}, [])


def test_no_agent_at_the_socket(tmp_path: Path) -> None:
    assert _send(tmp_path / "nobody.sock", _request(), []) == ({"code": "unreachable"}, [])


def test_an_agent_that_does_not_answer_in_time(tmp_path: Path) -> None:
    leave = threading.Event()

    def slow(_parcels: list[bytes], _settled: Settled) -> list[bytes]:
        leave.wait(30)
        return []

    with Service(tmp_path, "north", slow) as service:
        assert _send(service.socket, _request(seconds=0.5), []) == ({"code": "late"}, [])
        leave.set()


@pytest.mark.parametrize(
    "request_record",
    [_request(seconds=0.0), _request(seconds=1e9), ConfigRecord({"header": "text", "seconds": 1.0})],
)
def test_what_is_not_a_request_is_answered_with_a_code(service: Service, request_record: ConfigRecord) -> None:
    assert _send(service.socket, request_record, [b"parcel"]) == ({"code": "invalid"}, [])


def test_a_message_without_the_records_is_answered_with_a_code(service: Service) -> None:
    assert _deliver(service.socket, RecordDict({"request": ConfigRecord({})})) == ({"code": "failed"}, [])
    swapped = RecordDict({"request": pack([]), "parcels": _request()})
    assert _deliver(service.socket, swapped) == ({"code": "invalid"}, [])


def test_the_courier_loads_nothing_heavy() -> None:
    heavy = {"torch", "scipy", "sklearn", "skimage", "PIL", "securesystemslib", "federated"}
    code = f"import sys, site_agent.flower_app; print(*sorted({heavy!r} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
