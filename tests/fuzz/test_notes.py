"""Signed notes, checkpoints, what a witness is asked and answers, and what a site is told of the log."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.canonical import canonical
from federated.log.checkpoints import Checkpoint, origin_of, read_checkpoint, witness_name
from federated.log.entries import Entry, sign_entry
from federated.log.journal import Journal
from federated.log.merkle import leaf_hash
from federated.log.notes import COSIGNATURE, ED25519, Note, NoteKey, cosign, cosigned_at, is_signed, parse_note, sign
from federated.log.request_file import RequestFile, parse_request_file
from federated.log.told import parse_told, read_told, tell
from federated.log.witness import Request, Witness, cosigners, have, parse_have, parse_request
from tests.fuzz.mutation import CHANGES, EDITS, HOSTILE, Change, Edit, changed, edited, fuzzed, survived
from tests.fuzz.parties import ADA, HUB

ORIGIN = origin_of("test")
LOG = NoteKey(ORIGIN, HUB.public_key().public_bytes_raw(), ED25519)
WITNESS = NoteKey(witness_name("test", "ada"), ADA.public_key().public_bytes_raw(), COSIGNATURE)
LINES = st.sampled_from(
    ["", "0", "7", "-1", "007", "9" * 30, "1e3", "½", "٣", "old 7", "have 7", "— a b", "— " + "A" * 50, " ", "\t", "\r"]
) | st.text(max_size=8)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    """Seven entries under a checkpoint that both signed."""
    made = Journal(tmp_path_factory.mktemp("log"), ORIGIN)
    at = "2026-11-21T06:00:00Z"
    entries = [Entry(federation="test", at=at, event="invite", site=f"site{number}") for number in range(7)]
    made.append([sign_entry(entry, HUB) for entry in entries], HUB)
    assert made.note is not None
    made.cosigned(cosign(Note(made.note.text), WITNESS.name, ADA, 1_800_000_000))
    return made


def _note(journal: Journal) -> bytes:
    assert journal.note is not None
    return journal.note.to_bytes()


def _read_note(data: bytes) -> None:
    note = survived(lambda: parse_note(data))
    if note is not None:
        assert note.to_bytes() == data
        survived(lambda: is_signed(note, LOG))
        survived(lambda: cosigned_at(note, WITNESS))
        survived(lambda: cosigners(note, [WITNESS]))
        checkpoint = survived(lambda: read_checkpoint(note, ORIGIN))
        if checkpoint is not None:
            assert checkpoint.note().text == note.text


@given(changes=CHANGES)
@fuzzed(200)
def test_changed_bytes_of_a_note(journal: Journal, changes: list[Change]) -> None:
    _read_note(changed(_note(journal), changes))


@given(place=st.integers(0, 6), line=LINES, more=st.booleans())
@fuzzed(150)
def test_other_lines_in_a_note(journal: Journal, place: int, line: str, more: bool) -> None:
    lines = _note(journal).decode().split("\n")
    lines[place : place + (not more)] = [line]
    _read_note("\n".join(lines).encode())


@given(size=st.sampled_from(HOSTILE) | st.integers().map(str), root=st.binary(max_size=40))
@fuzzed(100)
def test_a_checkpoint_of_a_liar_who_signs_it(size: str, root: bytes) -> None:
    note = Note(f"{ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\n")
    _read_note(sign(note, ORIGIN, HUB).to_bytes() if "\ud800" not in size else b"")


def _request(journal: Journal, old: int) -> bytes:
    assert journal.note is not None
    return Request(old, tuple(journal.consistency(old)), journal.note).to_bytes()


@given(old=st.integers(0, 7), changes=CHANGES)
@fuzzed(150)
def test_changed_bytes_of_what_a_witness_is_asked(
    journal: Journal, tmp_path: Path, old: int, changes: list[Change]
) -> None:
    data = changed(_request(journal, old), changes)
    request = survived(lambda: parse_request(data))
    if request is not None:
        assert request.to_bytes() == data
    signed = survived(lambda: Witness(tmp_path / "new", LOG).cosign(data, WITNESS.name, ADA, 1))
    assert signed is None or signed.text == journal.checkpoint.note().text


@given(old=LINES, proof=st.lists(LINES, max_size=4), repeated=st.integers(1, 40))
@fuzzed(100)
def test_a_request_of_other_lines(journal: Journal, old: str, proof: list[str], repeated: int) -> None:
    data = "\n".join([f"old {old}", *proof * repeated, "", ""]).encode() + _note(journal)
    request = survived(lambda: parse_request(data))
    if request is not None:
        assert request.to_bytes() == data


@given(data=st.binary(max_size=30) | LINES.map(lambda line: f"have {line}\n".encode()))
@fuzzed(100)
def test_what_a_witness_answers(data: bytes) -> None:
    size = parse_have(data)
    assert size is None or (size >= 0 and have(size) == data)


@given(number=st.integers(0, 6), edits=EDITS)
@fuzzed(300)
def test_what_a_site_is_told(journal: Journal, number: int, edits: list[Edit]) -> None:
    entry = list(journal.entries())[number]
    sound = json.loads(tell(journal, number, entry).to_bytes())
    data = edited(sound, edits)
    told = survived(lambda: parse_told(data))
    if told is not None:
        assert told.to_bytes() == data
    found = survived(lambda: read_told(data, journal.checkpoint))
    assert found is None or json.loads(canonical(found[0].model_dump(mode="json"))) == sound


@given(
    number=st.integers(0, 2**53 - 1),
    size=st.integers(1, 2**53 - 1),
    proof=st.lists(st.binary(min_size=32, max_size=32), max_size=64),
    root=st.binary(min_size=32, max_size=32),
)
@fuzzed(100)
def test_a_proof_of_anything(journal: Journal, number: int, size: int, proof: list[bytes], root: bytes) -> None:
    entry = next(iter(journal.entries())).decode()
    told = {"version": 1, "number": number, "size": size, "proof": [each.hex() for each in proof], "entry": entry}
    found = survived(lambda: read_told(canonical(told), Checkpoint(ORIGIN, size, root)))
    assert found is None or (found[0].size == 1 and root == leaf_hash(entry.encode()))


@given(changes=CHANGES, edits=EDITS)
@fuzzed(60)
def test_changed_files_that_ask_a_witness(journal: Journal, changes: list[Change], edits: list[Edit]) -> None:
    assert journal.note is not None
    told = tell(journal, 3, next(journal.entries(3, 4))).to_bytes().decode()
    request = Request(0, (), journal.note).to_bytes().decode()
    sound = RequestFile(site="ada", request=request, told=(told, told)).to_bytes()
    _read_request_file(changed(sound, changes))
    _read_request_file(edited(json.loads(sound), edits))


def _read_request_file(data: bytes) -> None:
    asked = survived(lambda: parse_request_file(data))
    if asked is not None:
        assert asked.to_bytes() == data
        survived(lambda: parse_request(asked.request.encode()))
        survived(lambda: [parse_told(each.encode()) for each in asked.told])
