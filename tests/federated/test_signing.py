from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from federated.canonical import canonical
from federated.errors import ConsiliumError, ContractError
from federated.keys import fingerprint, public_hex, verifier
from federated.signing import (
    MAX_DOCUMENT_BYTES,
    parse_document,
    read_document,
    sign_document,
    verified_by,
)

ONE, TWO, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))
KEYS = [verifier(public_hex(key), where="test") for key in (ONE, TWO)]
TYPE = "application/vnd.test"


def _id(key: Ed25519PrivateKey) -> str:
    return fingerprint(bytes.fromhex(public_hex(key)))


def test_what_is_signed_is_the_pre_authentication_encoding() -> None:
    """DSSE protocol: PAE(type, body) = "DSSEv1" + lengths and contents."""
    envelope = json.loads(sign_document(b"hello world", "http://example.com/HelloWorld", [ONE]))
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    ONE.public_key().verify(signature, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world")


@given(st.binary(max_size=200))
def test_payload_and_signatures_are_kept(payload: bytes) -> None:
    envelope = parse_document(sign_document(payload, TYPE, [ONE, TWO]))
    assert (envelope.payload, envelope.payload_type) == (payload, TYPE)
    assert verified_by(envelope, KEYS) == {_id(ONE), _id(TWO)}


def test_only_signatures_of_the_keys_asked_for_count() -> None:
    envelope = parse_document(sign_document(b"x", TYPE, [ONE, STRANGER]))
    assert verified_by(envelope, KEYS) == {_id(ONE)}
    assert verified_by(envelope, []) == frozenset()


def test_a_signature_under_another_type_or_payload_does_not_count() -> None:
    envelope = parse_document(sign_document(b"x", TYPE, [ONE]))
    for name, value in (("payload", b"y"), ("payload_type", "application/other")):
        changed = parse_document(sign_document(b"x", TYPE, [ONE]))
        setattr(changed, name, value)
        assert verified_by(changed, KEYS) == frozenset()
    assert verified_by(envelope, KEYS) == {_id(ONE)}


def test_a_signature_under_the_name_of_another_key_does_not_count() -> None:
    envelope = json.loads(sign_document(b"x", TYPE, [STRANGER]))
    envelope["signatures"][0]["keyid"] = _id(ONE)
    assert verified_by(parse_document(canonical(envelope)), KEYS) == frozenset()


@pytest.mark.parametrize("flip", [1, 4, 32])
def test_no_byte_of_an_envelope_can_change_unnoticed(flip: int) -> None:
    data = sign_document(b'{"a":1}', TYPE, [ONE])
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :]
        assert not _accepted(changed), f"byte {place}"


def _accepted(data: bytes) -> bool:
    try:
        return bool(verified_by(parse_document(data), KEYS))
    except ContractError:
        return False


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"payload":"eA==","payloadType":5,"signatures":[]}',
        b'{"payload":"eA==","payloadType":"t","signatures":{}}',
        b'{"payload":"eA==","payloadType":"t","signatures":[5]}',
        b'{"payload":"e","payloadType":"t","signatures":[]}',
        b'{"payload":"eB==","payloadType":"t","signatures":[]}',  # other spare bits of the same payload
        b'{"payload":"eA==","payloadType":"t","signatures":[],"more":1}',
        b'{"payloadType":"t","payload":"eA==","signatures":[]}',
        b'{"payload":"eA==","payloadType":"t","signatures":[]} ',
    ],
)
def test_other_bytes_are_no_envelope(data: bytes) -> None:
    with pytest.raises(ContractError):
        parse_document(data)


def test_the_same_key_signs_once() -> None:
    envelope = json.loads(sign_document(b"x", TYPE, [ONE]))
    envelope["signatures"] *= 2
    with pytest.raises(ContractError, match="is not a DSSE envelope"):
        parse_document(canonical(envelope))


def test_a_long_document_is_not_even_parsed() -> None:
    with pytest.raises(ContractError, match=f"{MAX_DOCUMENT_BYTES + 1} bytes, at most {MAX_DOCUMENT_BYTES}"):
        parse_document(b" " * (MAX_DOCUMENT_BYTES + 1))


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(ConsiliumError, match="cannot be read"):
        read_document(path, TYPE)
    path.write_bytes(sign_document(b"x", TYPE, [ONE]))
    assert read_document(path, TYPE).payload == b"x"
    with pytest.raises(ContractError, match=f"is a '{TYPE}', expected 'other'"):
        read_document(path, "other")
    path.write_bytes(b"x" * (MAX_DOCUMENT_BYTES + 10))
    with pytest.raises(ContractError, match=str(path)):
        read_document(path, TYPE)
