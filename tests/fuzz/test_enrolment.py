"""Kits, requests and rotations: files that anybody may hand over, and such that a liar has signed with his own key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.canonical import canonical
from federated.enrolment import (
    KIT_TYPE,
    REQUEST_TYPE,
    ROTATION_TYPE,
    Kit,
    Request,
    Rotation,
    read_kit,
    read_request,
    read_rotation,
)
from federated.keys import Party, fingerprint, public_hex
from federated.manifest import FrontEndCard, Frozen
from federated.signing import sign_document
from federated.vocabulary import plain_vocabulary
from tests.fuzz.mutation import CHANGES, EDITS, Change, Edit, changed, edited, fuzzed, survived
from tests.fuzz.parties import ADA, DPO, EVE, HUB

KEYS = {public_hex(key): key for key in (ADA, DPO, EVE, HUB)}
SOUND: dict[str, tuple[Frozen, str, tuple[str, ...]]] = {
    "kit": (
        Kit(
            federation="test",
            coordinator="hub",
            coordinator_public=public_hex(HUB),
            site="ada",
            invitation="ab" * 16,
            superlink="127.0.0.1:18000",
            ca_certificate="",
            task="classification",
            front_end=FrontEndCard(name="pixels", config={"size": 8}, digest="sha256:" + "1" * 64, features=3),
            vocabulary=plain_vocabulary("views", ["a4c", "plax"]),
        ),
        KIT_TYPE,
        (public_hex(HUB),),
    ),
    "request": (
        Request(
            federation="test",
            site="ada",
            site_public=public_hex(ADA),
            approvers=(Party(name="dpo", role="approver", public=public_hex(DPO), site="ada"),),
            invitation="ab" * 16,
            flower_public="",
        ),
        REQUEST_TYPE,
        (public_hex(ADA),),
    ),
    "rotation": (
        Rotation(federation="test", site="ada", old_public=public_hex(ADA), new_public=public_hex(EVE)),
        ROTATION_TYPE,
        (public_hex(ADA), public_hex(EVE)),
    ),
}
READ: dict[str, Callable[[Path], Frozen]] = {
    "kit": lambda path: read_kit(path, fingerprint=fingerprint(bytes.fromhex(public_hex(HUB)))),
    "request": lambda path: read_request(path, fingerprint=fingerprint(bytes.fromhex(public_hex(ADA)))),
    "rotation": read_rotation,
}


def _sealed(kind: str, payload: bytes) -> bytes:
    _, payload_type, signers = SOUND[kind]
    return sign_document(payload, payload_type, [KEYS[public] for public in signers])


def _fields(kind: str) -> dict[str, Any]:
    return SOUND[kind][0].model_dump(mode="json")


def _read(kind: str, path: Path, data: bytes) -> Frozen | None:
    path.write_bytes(data)
    return survived(lambda: READ[kind](path))


@pytest.mark.parametrize("kind", SOUND)
def test_the_samples_are_sound(kind: str, tmp_path: Path) -> None:
    assert _read(kind, tmp_path / "file", _sealed(kind, canonical(_fields(kind)))) == SOUND[kind][0]


@given(kind=st.sampled_from(sorted(SOUND)), changes=CHANGES)
@fuzzed(150)
def test_changed_bytes(tmp_path: Path, kind: str, changes: list[Change]) -> None:
    sound = _sealed(kind, canonical(_fields(kind)))
    data = changed(sound, changes)
    assert _read(kind, tmp_path / "file", data) is None or data == sound


@given(kind=st.sampled_from(sorted(SOUND)), edits=EDITS)
@fuzzed(500)
def test_a_document_of_another_form_that_its_sender_signed(tmp_path: Path, kind: str, edits: list[Edit]) -> None:
    payload = edited(_fields(kind), edits)
    found = _read(kind, tmp_path / "file", _sealed(kind, payload))
    assert found is None or canonical(found.model_dump(mode="json")) == payload


@given(kind=st.sampled_from(sorted(SOUND)), edits=EDITS)
@fuzzed(100)
def test_an_envelope_of_another_form(tmp_path: Path, kind: str, edits: list[Edit]) -> None:
    sound = _sealed(kind, canonical(_fields(kind)))
    data = edited(json.loads(sound), edits)
    found = _read(kind, tmp_path / "file", data)
    assert found is None or found == SOUND[kind][0]


def test_a_number_that_canonical_json_has_not(tmp_path: Path) -> None:
    """As of a front end's setting: it is refused in one line, as anything else that is no kit."""
    payload = canonical(_fields("kit")).replace(b'"size":8', b'"size":9007199254740993')
    assert b"9007199254740993" in payload
    assert _read("kit", tmp_path / "file", _sealed("kit", payload)) is None
