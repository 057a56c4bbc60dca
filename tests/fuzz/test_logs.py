"""A log as files: tiles, bundles of entries and checkpoints that somebody changed, and entries that a liar signed."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.canonical import canonical
from federated.errors import ConsiliumError
from federated.keys import public_hex
from federated.log.checkpoints import origin_of
from federated.log.entries import PREDICATE_TYPE, Entry, read_entry, sign_entry
from federated.log.journal import Journal
from federated.log.merkle import check_consistency, root_from_inclusion
from federated.log.tiles import LENGTH, pack_bundle, unpack_bundle
from federated.log.verification import entries_of, verify_log
from federated.signing import parse_document, sign_document
from federated.statements import PAYLOAD_TYPE
from tests.fuzz.mutation import CHANGES, EDITS, SECONDS, Change, Edit, changed, edited, fuzzed, survived
from tests.fuzz.parties import ADA, HUB, TRUST

ORIGIN = origin_of("test")
AT = "2026-11-21T06:00:00Z"
HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=70)
BEGUN = Entry.model_validate(
    {"federation": "test", "at": AT, "event": "init", "keys": ({"public": public_hex(HUB), "role": "coordinator"},)}
)
JOINED = Entry.model_validate(
    {"federation": "test", "at": AT, "event": "enrol", "site": "ada"}
    | {"keys": ({"public": public_hex(ADA), "role": "site"},)}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 300 entries, so that one tile and one bundle are full."""
    path = tmp_path_factory.mktemp("log")
    invited = [Entry(federation="test", at=AT, event="invite", site=f"site{number}") for number in range(298)]
    Journal(path, ORIGIN).append([sign_entry(each, HUB) for each in (BEGUN, JOINED, *invited)], HUB)
    return path


@given(which=st.floats(0, 1), changes=CHANGES)
@fuzzed(40)
def test_changed_bytes_of_any_file_of_a_log(folder: Path, which: float, changes: list[Change]) -> None:
    """It is opened and verified as it was, or something is found wrong: nothing else comes of it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = files[min(int(which * len(files)), len(files) - 1)]
    sound = path.read_bytes()
    spoilt = changed(sound, changes)
    path.write_bytes(spoilt)
    try:
        checks = survived(lambda: verify_log(folder, TRUST, witnesses=0))
        survived(lambda: Journal(folder, ORIGIN))
        survived(lambda: list(entries_of(folder, "test")))
    finally:
        path.write_bytes(sound)
    if "entries" in path.parts and spoilt[: len(sound)] != sound:
        assert checks is None or not all(check.ok is not False for check in checks)


def _opened(folder: Path) -> None:
    """As its keeper, then as an auditor."""
    Journal(folder, ORIGIN)
    verify_log(folder, TRUST, witnesses=0)
    list(entries_of(folder, "test"))


def test_a_file_of_a_log_that_has_no_end(folder: Path, tmp_path: Path) -> None:
    """As a link to a device has none: no more is read than the largest tile has."""
    shutil.copytree(folder, tmp_path / "log")
    for name in ("tile/1/000.p/1", "tile/entries/000", "checkpoint"):
        path = tmp_path / "log" / name
        path.unlink()
        path.symlink_to("/dev/zero")
        begin = time.monotonic()
        with pytest.raises(ConsiliumError):
            _opened(tmp_path / "log")
        assert time.monotonic() - begin < SECONDS
        path.unlink()
        shutil.copy(folder / name, path)


@given(entries=st.lists(st.binary(max_size=40), max_size=6), changes=CHANGES, count=st.integers(0, 7))
@fuzzed(150)
def test_changed_bytes_of_a_bundle_of_entries(entries: list[bytes], changes: list[Change], count: int) -> None:
    data = changed(pack_bundle(entries), changes)
    found = survived(lambda: unpack_bundle(data, count))
    assert found is None or data.startswith(pack_bundle(found))


@given(length=st.integers(0, 2**16 - 1), rest=st.binary(max_size=40))
@fuzzed(50)
def test_a_length_that_leads_beyond_the_end(length: int, rest: bytes) -> None:
    found = survived(lambda: unpack_bundle(LENGTH.pack(length) + rest, 1))
    assert (found is None) == (length > len(rest))


@given(index=st.integers(-2, 2**63), size=st.integers(-2, 2**63), proof=HASHES)
@fuzzed(150)
def test_an_inclusion_proof_of_anything(index: int, size: int, proof: list[bytes]) -> None:
    found = survived(lambda: root_from_inclusion(b"\0" * 32, index, size, proof))
    assert found is None or 0 <= index < size


@given(old=st.integers(-2, 2**63) | st.integers(0, 40), size=st.integers(-2, 2**63) | st.integers(0, 40), proof=HASHES)
@fuzzed(200)
def test_a_consistency_proof_of_anything(old: int, size: int, proof: list[bytes]) -> None:
    """What was made up leads to no roots but those of a tree and itself."""
    roots = (b"\0" * 32, b"\1" * 32)
    with pytest.raises(ConsiliumError):
        check_consistency(old, roots[0], size, roots[1], proof)


def _entry(edits: list[Edit]) -> bytes:
    sound: dict[str, Any] = json.loads(parse_document(sign_entry(JOINED, HUB)).payload)
    return sign_document(edited(sound, edits), PAYLOAD_TYPE, [HUB])


@given(edits=EDITS)
@fuzzed(300)
def test_an_entry_of_another_form_that_the_coordinator_signed(edits: list[Edit]) -> None:
    data = _entry(edits)
    found = survived(lambda: read_entry(data))
    if found is not None:
        assert json.loads(found.envelope.payload)["predicateType"] == PREDICATE_TYPE
        assert Entry.model_validate_json(canonical(found.predicate.model_dump(mode="json"))) == found.predicate


@given(edits=EDITS)
@fuzzed(60)
def test_a_log_with_an_entry_of_another_form_is_not_verified(
    tmp_path_factory: pytest.TempPathFactory, edits: list[Edit]
) -> None:
    data = _entry(edits)
    path = tmp_path_factory.mktemp("log")
    Journal(path, ORIGIN).append([sign_entry(BEGUN, HUB), data[: 2**16 - 1]], HUB)
    checks = survived(lambda: verify_log(path, TRUST, witnesses=0))
    sound = read_entry(sign_entry(JOINED, HUB)).predicate
    assert checks is not None
    if all(check.ok is not False for check in checks):
        assert survived(lambda: read_entry(data).predicate) == sound
