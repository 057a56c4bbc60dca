from __future__ import annotations

import hashlib
import hmac
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.errors import ConsiliumError
from site_agent.sealing import KEY_DIGITS, Seal, pseudonym, token

SECRET, OTHER = bytes(32), b"\1" * 32
TEXT = st.text(max_size=60)


@given(TEXT)
def test_what_is_sealed_is_opened_again_and_equal_text_is_equal_bytes(text: str) -> None:
    sealed = Seal(SECRET).close(text)
    assert Seal(SECRET).open(sealed) == text
    assert Seal(SECRET).close(text) == sealed


@given(TEXT.filter(lambda text: len(text) > 3))
def test_sealed_text_shows_nothing_of_itself(text: str) -> None:
    assert text.encode() not in Seal(SECRET).close(text)
    assert Seal(OTHER).close(text) != Seal(SECRET).close(text)


@pytest.mark.parametrize("text", ["", "\0", "\0a", "Müller", os.fsdecode(b"M\xfcller.png")])
def test_odd_text_is_opened_again(text: str) -> None:
    assert Seal(SECRET).open(Seal(SECRET).close(text)) == text
    assert len(Seal(SECRET).key("item", text)) == KEY_DIGITS


def test_another_secret_opens_nothing_nor_is_a_changed_byte_overlooked() -> None:
    sealed = Seal(SECRET).close("Mustermann.png")
    changed = bytearray(sealed)
    changed[-1] ^= 1
    for seal, data in ((Seal(OTHER), sealed), (Seal(SECRET), bytes(changed)), (Seal(SECRET), b"short")):
        with pytest.raises(ConsiliumError, match=r"was sealed with another secret; restore keys/secret"):
            seal.open(data)


def test_keys_are_the_same_each_time_and_differ_by_words_order_and_secret() -> None:
    keys = {
        Seal(SECRET).key("item", "a", "b"),
        Seal(SECRET).key("item", "b", "a"),
        Seal(SECRET).key("item", "ab"),
        Seal(SECRET).key("clip", "a", "b"),
        Seal(OTHER).key("item", "a", "b"),
    }
    assert len(keys) == 5
    assert Seal(SECRET).key("item", "a", "b") in keys
    assert all(len(key) == KEY_DIGITS and int(key, 16) >= 0 for key in keys)


def test_a_pseudonym_is_the_hmac_of_what_a_patient_is_known_by() -> None:
    assert pseudonym(SECRET, "patient", "P7") == hmac.new(SECRET, b"patient\0P7", hashlib.sha256).hexdigest()
    assert len({pseudonym(SECRET, kind, "P7") for kind in ("patient", "clip", "file")}) == 3
    assert pseudonym(SECRET, "patient", "P7") != pseudonym(OTHER, "patient", "P7")


def test_a_token_is_the_hmac_of_a_pseudonym_and_no_pseudonym_itself() -> None:
    name = pseudonym(SECRET, "patient", "4711")
    assert token(SECRET, name) == hmac.new(SECRET, b"forgotten\0" + name.encode(), hashlib.sha256).hexdigest()
    assert len({token(SECRET, name), token(OTHER, name), token(SECRET, "4711"), name}) == 4
