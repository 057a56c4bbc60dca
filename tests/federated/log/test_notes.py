from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from federated.errors import ContractError, SignatureError
from federated.log.notes import (
    COSIGNATURE,
    ED25519,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Line,
    Note,
    NoteKey,
    cosign,
    cosigned_at,
    is_signed,
    parse_note,
    sign,
)

PUBLISHED = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The example of Go's checksum database, whose key is PeterNeumann+c74f20a3+ and below."""
PUBLISHED_KEY = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
LOG, SITE = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
TEXT = "heart/log\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def _key(key: Ed25519PrivateKey, name: str, kind: int) -> NoteKey:
    return NoteKey(name, key.public_key().public_bytes_raw(), kind)


def test_a_published_note_verifies() -> None:
    kind, public = PUBLISHED_KEY[0], PUBLISHED_KEY[1:]
    key = NoteKey("PeterNeumann", public, kind)
    assert (kind, key.key_id.hex()) == (ED25519, "c74f20a3")
    note = parse_note(PUBLISHED.encode())
    assert is_signed(note, key)
    assert note.to_bytes() == PUBLISHED.encode()
    with pytest.raises(SignatureError, match="'PeterNeumann' does not verify"):
        is_signed(Note(note.text.replace("your", "our"), note.lines), key)


def test_who_has_not_signed_has_not_signed() -> None:
    note = sign(Note(TEXT), "heart/log", LOG)
    assert is_signed(note, _key(LOG, "heart/log", ED25519))
    assert not is_signed(note, _key(LOG, "lung/log", ED25519))
    assert not is_signed(note, _key(SITE, "heart/log", ED25519))
    assert not is_signed(note, _key(LOG, "heart/log", COSIGNATURE))


def test_a_witness_signs_the_text_and_the_time() -> None:
    note = cosign(sign(Note(TEXT), "heart/log", LOG), "heart/ada", SITE, 1679315147)
    key = _key(SITE, "heart/ada", COSIGNATURE)
    assert cosigned_at(note, key) == 1679315147
    assert is_signed(note, _key(LOG, "heart/log", ED25519)), "the log's own signature stays"
    value = note.lines[1].value
    SITE.public_key().verify(value[8:], b"cosignature/v1\ntime 1679315147\n" + TEXT.encode())
    later = Line("heart/ada", key.key_id, (1679315148).to_bytes(8, "big") + value[8:])
    with pytest.raises(SignatureError):
        cosigned_at(note.with_line(later), key)
    assert cosigned_at(sign(Note(TEXT), "heart/log", LOG), key) is None


def test_who_signs_again_has_one_line() -> None:
    once = cosign(Note(TEXT), "heart/ada", SITE, 1)
    twice = cosign(once, "heart/ada", SITE, 2)
    assert (len(twice.lines), cosigned_at(twice, _key(SITE, "heart/ada", COSIGNATURE))) == (1, 2)
    with pytest.raises(SignatureError, match="signed twice"):
        cosigned_at(Note(TEXT, once.lines + twice.lines), _key(SITE, "heart/ada", COSIGNATURE))


def test_a_text_may_have_empty_lines() -> None:
    note = sign(Note("one\n\ntwo\n"), "heart/log", LOG)
    assert parse_note(note.to_bytes()) == note


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "no signatures"),
        (b"text\n", "no signatures"),
        (b"text\n\n", "no signatures"),
        ("text\n\n— name AAAAAAA=".encode(), "no signatures"),
        (b"\xff\n\n", "UTF-8"),
        ("te\txt\n\n— name AAAAAAA=\n".encode(), "control character"),
        (b"text\n\nname AAAAAAA=\n", "no signature"),
        ("text\n\n— name\n".encode(), "no signature"),
        ("text\n\n— na+me AAAAAAA=\n".encode(), "no signature"),
        ("text\n\n— name ????\n".encode(), "not base64"),
        ("text\n\n— name AAAAAA==\n".encode(), "too short"),
        ("text\n\n— name AAAAAAB=\n".encode(), "canonical"),
        (b"x" * (MAX_NOTE_BYTES + 1), "at most"),
        (("text\n\n" + "— name AAAAAAA=\n" * (MAX_SIGNATURES + 1)).encode(), "at most"),
    ],
)
def test_what_is_no_note_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(ContractError, match=what):
        parse_note(data)


@given(st.binary(max_size=200) | st.text("\n— na+AB=4/", max_size=60).map(str.encode))
def test_whatever_comes_is_a_note_or_refused(data: bytes) -> None:
    try:
        note = parse_note(data)
    except ContractError:
        return
    assert note.to_bytes() == data


@given(st.integers(0, 2**20), st.integers(0, 7))
def test_no_bit_of_a_signed_note_changes_unnoticed(place: int, bit: int) -> None:
    whole = bytearray(sign(Note(TEXT), "heart/log", LOG).to_bytes())
    whole[place % len(whole)] ^= 1 << bit
    try:
        verified = is_signed(parse_note(bytes(whole)), _key(LOG, "heart/log", ED25519))
    except (ContractError, SignatureError):
        return
    assert not verified
