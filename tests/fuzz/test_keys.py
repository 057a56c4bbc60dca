"""Key files as somebody may leave them: a private key, one under a passphrase, a public one."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from federated import passphrases
from federated.keys import public_hex, read_private_key, read_public_key
from federated.pkcs8 import encrypted_pem, plain_pem
from tests.fuzz.mutation import CHANGES, Change, changed, fuzzed, survived

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


@given(changes=CHANGES)
@fuzzed(150)
def test_changed_bytes_of_a_private_key(tmp_path: Path, changes: list[Change]) -> None:
    path = _written(tmp_path / "key.pem", changed(plain_pem(KEY), changes))
    found = survived(lambda: read_private_key(path))
    assert found is None or isinstance(found, Ed25519PrivateKey)


@given(changes=CHANGES)
@fuzzed(150)
def test_changed_bytes_of_a_public_key(tmp_path: Path, changes: list[Change]) -> None:
    for sound in (PUBLIC, public_hex(KEY).encode()):
        path = _written(tmp_path / "key.pub", changed(sound, changes))
        found = survived(lambda path=path: read_public_key(path))  # type: ignore[misc]
        assert found is None or bytes.fromhex(found)


@given(changes=CHANGES)
@fuzzed(25)
def test_changed_bytes_of_a_key_under_a_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: list[Change]
) -> None:
    monkeypatch.setattr(passphrases, "given", lambda: ("four words",))
    path = _written(tmp_path / "key.pem", changed(LOCKED, changes))
    found = survived(lambda: passphrases.unlocked_key(path))
    assert found is None or public_hex(found) == public_hex(KEY)


LOCKED = encrypted_pem(KEY, "four words")


@pytest.mark.parametrize("data", [b"", b"\0" * 10**6, b"-----BEGIN PRIVATE KEY-----\n" * 10**4])
def test_what_is_no_key(tmp_path: Path, data: bytes) -> None:
    path = _written(tmp_path / "key.pem", data)
    assert survived(lambda: read_private_key(path)) is None
    assert survived(lambda: read_public_key(path)) is None


@given(st.sampled_from([ec.SECP256R1(), ec.SECP384R1()]))
@fuzzed(2)
def test_a_key_of_another_kind(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    encoding, form, none = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    data = ec.generate_private_key(curve).private_bytes(encoding, form, none)
    assert survived(lambda: read_private_key(_written(tmp_path / "key.pem", data))) is None
