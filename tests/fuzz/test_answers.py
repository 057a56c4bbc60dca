"""What comes from a courier, from a site over Flower, as an answer on a stick, and as predictions for an auditor."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from federated.audit.predictions import verify_predictions
from federated.decision import Decision, parse_decision
from server.event import Unreached
from server.flower_app import read_answer
from site_agent import service
from site_agent.parcel_files import _answers
from tests.fuzz.mutation import CHANGES, EDITS, Change, Edit, changed, edited, fuzzed, survived

DIGEST = "sha256:" + "a" * 64
SETTLED = {"settled": [[DIGEST, "accepted"], ["sha256:" + "b" * 64, "rejected"]]}
HEADER = {"site": "ada", "code": "ok"}
ANSWERS = [{"site": "ada", "digest": DIGEST, "outcome": "accepted", "numbered": True, "reason": "", "kind": "report"}]
SITES = ("ada", "ben")
DECISION = Decision(
    image="image-1",
    clip="clip-1",
    label="a4c",
    abstained=False,
    why=None,
    caption=None,
    scores={"a4c": 1.0, "plax": -0.5},
    probabilities={"a4c": 0.8, "plax": 0.2},
    weights=dict.fromkeys(SITES, 1.0),
    contributions={"a4c": {"ada": 0.75, "ben": 0.25}, "plax": {"ada": -0.5, "ben": 0.0}},
    evidence={"ada": 0.75, "ben": 0.25},
    qualified=dict.fromkeys(SITES, 0.5),
    release=DIGEST,
)


def _exchanged(messages: Iterable[bytes]) -> None:
    """The agent answers with a code whatever the courier hands over: these two are what it knows as no exchange."""
    try:
        parcels, settled = service._read(iter(messages))
    except (ValidationError, OverflowError):
        return
    assert len(parcels) <= service.MAX_PARCELS
    assert all(len(outcome) <= 200 for _, outcome in settled)


@given(edits=EDITS, parcels=st.lists(st.binary(max_size=20), max_size=3))
@fuzzed(200)
def test_a_header_of_the_courier(edits: list[Edit], parcels: list[bytes]) -> None:
    _exchanged([edited(SETTLED, edits), *parcels])


@given(changes=CHANGES)
@fuzzed(100)
def test_changed_bytes_of_a_header(changes: list[Change]) -> None:
    _exchanged([changed(edited(SETTLED, []), changes)])


@given(edits=EDITS, parcels=st.lists(st.binary(max_size=9), max_size=3), named=st.booleans())
@fuzzed(200)
def test_what_a_site_answers_over_flower(edits: list[Edit], parcels: list[bytes], named: bool) -> None:
    """Its parcels, or a code in small letters; never an error, and never words of its own."""
    arrays = {f"{i:06d}": Array("uint8", (len(data),), "bytes", data) for i, data in enumerate(parcels)}
    header: bytes | str = edited(HEADER, edits)
    answer = ConfigRecord({"header": header} if named else {"other": header, "header": 7})
    content = RecordDict({"answer": answer, "parcels": ArrayRecord(arrays)})
    reply: Any = SimpleNamespace(has_error=lambda: False, content=content)
    found = read_answer(reply, "ada")
    if isinstance(found, Unreached):
        assert found.reason.isascii()
        assert found.reason.isalpha()
        assert len(found.reason) <= 20
    else:
        assert found == parcels


@given(edits=EDITS)
@fuzzed(150)
def test_answers_of_the_coordinator_on_a_stick(edits: list[Edit]) -> None:
    survived(lambda: _answers(Path("answers.json"), edited(ANSWERS, edits)))


@given(edits=EDITS)
@fuzzed(300)
def test_a_line_of_predictions(tmp_path: Path, edits: list[Edit]) -> None:
    data = edited(json.loads(DECISION.json_line()), edits)
    found = survived(lambda: parse_decision(data.decode(errors="replace"), where="line 1"))
    assert found is None or found.json_line()
    (tmp_path / "predictions.jsonl").write_bytes(data + b"\n")
    audit = survived(lambda: verify_predictions(tmp_path / "predictions.jsonl", None))
    if audit is not None and audit.ok:
        assert found is not None
        assert all(0 <= weight <= 1 for weight in found.weights.values())


@given(changes=CHANGES)
@fuzzed(100)
def test_changed_bytes_of_predictions(tmp_path: Path, changes: list[Change]) -> None:
    (tmp_path / "predictions.jsonl").write_bytes(changed(DECISION.json_line().encode(), changes))
    survived(lambda: verify_predictions(tmp_path / "predictions.jsonl", None))


def test_the_sample_is_sound(tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_text(DECISION.json_line())
    assert verify_predictions(tmp_path / "predictions.jsonl", None).ok
    with pytest.raises(ZeroDivisionError):
        survived(lambda: 1 // 0)
