"""What leads to a release and takes it back: change plans, approvals, what stands; and draws and decision records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.approval import PREDICATE_TYPE, Approval, read_approval
from federated.canonical import canonical, digest
from federated.certificate_request import REQUEST_TYPE, read_certificate_request, requested_key
from federated.change_plan import parse_plan
from federated.decision_record import parse_record
from federated.draw import Draw, indices, parse_draw
from federated.keys import public_hex, verifier
from federated.release_status import PAYLOAD_TYPE as STATUS_TYPE
from federated.release_status import ReleaseStatus, read_status
from federated.signing import sign_document
from federated.statements import PAYLOAD_TYPE
from federated.web.access import read_access
from tests.decision_making import a_flag, a_record, an_answer
from tests.fuzz.mutation import CHANGES, EDITS, Change, Edit, changed, edited, fuzzed, survived
from tests.fuzz.parties import ADA, HUB, statement_of

DIGEST = digest(b"a thing")
KEYS = [verifier(public_hex(HUB), where="test")]
PLAN = b"""
version = 1
federation = "test"
name = "plan"
may_change = ["sites-added", "contributions"]

[[criteria]]
measure = "balanced-accuracy"
each = "site"
at_least = 0.2
"""
ACCESS = f"""
[[people]]
name = "ada"
role = "viewer"
ends = "2030-01-01"
token = "{"0" * 64}"
"""
APPROVAL = Approval(federation="test", plan=DIGEST, assessment=DIGEST, substantial=False)
STATUS = ReleaseStatus(federation="test", number=12, issued="2026-11-21T06:00:00Z", lease_days=30, standing=(DIGEST,))
DRAW = Draw(federation="test", site="ada", summary=DIGEST, size=9, root="1" * 64, seed="2" * 64, count=4)
CSR = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n"
REQUEST = {"version": 1, "federation": "test", "site": "ada", "request": CSR}
STATEMENT = statement_of("candidate", DIGEST, PREDICATE_TYPE, APPROVAL.model_dump(mode="json"))


def _approval(payload: bytes) -> Any:
    found = read_approval(sign_document(payload, PAYLOAD_TYPE, [HUB]))
    assert canonical(json.loads(payload)) == payload
    return found


def _status(payload: bytes) -> Any:
    found = read_status(sign_document(payload, STATUS_TYPE, [HUB]), KEYS, "test")
    assert found.expires_at > found.issued_at
    return found


def _draw(data: bytes) -> Any:
    draw = parse_draw(data, where="draw")
    drawn = indices(draw)
    assert len(set(drawn)) == len(drawn) == min(draw.size, draw.count)
    assert all(0 <= number < draw.size for number in drawn)
    return draw


def _record(data: bytes) -> Any:
    record = parse_record(data)
    assert record.to_bytes() == data
    return record


READ: dict[str, tuple[Any, Callable[[bytes], Any]]] = {
    "approval": (STATEMENT, _approval),
    "list of what stands": (STATUS.model_dump(mode="json"), _status),
    "draw": (json.loads(DRAW.to_bytes()), _draw),
    "record": (json.loads(a_record(3, an_answer()).to_bytes()), _record),
    "flag": (json.loads(a_flag(4, 3).to_bytes()), _record),
}


@pytest.mark.parametrize("kind", READ)
def test_the_samples_are_sound(kind: str) -> None:
    sound, read = READ[kind]
    assert read(edited(sound, [])) is not None


@given(kind=st.sampled_from(sorted(READ)), edits=EDITS)
@fuzzed(500)
def test_another_form(kind: str, edits: list[Edit]) -> None:
    sound, read = READ[kind]
    data = edited(sound, edits)
    survived(lambda: read(data))


@given(kind=st.sampled_from(sorted(READ)), changes=CHANGES)
@fuzzed(150)
def test_changed_bytes(kind: str, changes: list[Change]) -> None:
    sound, read = READ[kind]
    data = changed(edited(sound, []), changes)
    survived(lambda: read(data))


@given(edits=EDITS)
@fuzzed(80)
def test_a_request_for_a_certificate(tmp_path: Path, edits: list[Edit]) -> None:
    path = tmp_path / "request"
    path.write_bytes(sign_document(edited(REQUEST, edits), REQUEST_TYPE, [ADA]))
    found = survived(lambda: read_certificate_request(path, public=public_hex(ADA)))
    if found is not None:
        assert survived(lambda: requested_key(found, where="request")) is None  # nothing here is one


@given(changes=CHANGES)
@fuzzed(150)
def test_a_change_plan(changes: list[Change]) -> None:
    data = changed(PLAN, changes)
    found = survived(lambda: parse_plan(data, federation="test"))
    assert found is None or found.digest == digest(data)


@given(changes=CHANGES)
@fuzzed(100)
def test_who_may_see_pages(tmp_path: Path, changes: list[Change]) -> None:
    path = tmp_path / "access.toml"
    path.write_bytes(changed(ACCESS.encode(), changes))
    path.chmod(0o600)
    survived(lambda: read_access(path))


@pytest.mark.parametrize("text", ["x = " + "[" * 9000, "x = " + "1" * 9000, "\xff" * 9])
def test_plans_and_access_that_are_made_to_break_the_parser(tmp_path: Path, text: str) -> None:
    path = tmp_path / "access.toml"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    assert survived(lambda: read_access(path)) is None
    assert survived(lambda: parse_plan(text.encode("latin-1"), federation="test")) is None
