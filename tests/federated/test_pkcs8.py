from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.pkcs8 import encrypted_pem, is_encrypted, passphrase_bytes, plain_pem

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
WORDS = "four words of äther"


def _opened(pem: bytes, password: bytes | None) -> bytes:
    key = serialization.load_pem_private_key(pem, password)
    assert isinstance(key, Ed25519PrivateKey)
    return key.private_bytes_raw()


def test_the_library_reads_what_is_written() -> None:
    pem = encrypted_pem(KEY, WORDS)
    assert _opened(pem, passphrase_bytes(WORDS)) == b"k" * 32
    assert is_encrypted(pem)
    assert not is_encrypted(plain_pem(KEY))
    assert _opened(plain_pem(KEY), None) == b"k" * 32


def test_another_passphrase_opens_nothing() -> None:
    with pytest.raises(ValueError, match="password"):
        _opened(encrypted_pem(KEY, WORDS), b"four words of")


def test_neither_the_key_nor_the_passphrase_stands_in_the_file_and_no_file_is_like_another() -> None:
    first, second = encrypted_pem(KEY, WORDS), encrypted_pem(KEY, WORDS)
    assert first != second
    assert plain_pem(KEY).splitlines()[1] not in first


def test_a_letter_has_one_form_however_it_was_typed() -> None:
    assert passphrase_bytes("a\u0308ther") == passphrase_bytes("\u00e4ther")


def test_openssl_reads_what_is_written_and_names_the_derivation(tmp_path: Path) -> None:
    """An implementation of its own, with the memory limit that it has by default."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not here to read the key with")
    (tmp_path / "key.pem").write_bytes(encrypted_pem(KEY, "twelve letters"))
    (tmp_path / "words").write_text("twelve letters\n")
    said = [program, "pkey", "-in", "key.pem", "-passin", "file:words", "-outform", "DER"]
    plain = subprocess.run(said, cwd=tmp_path, check=True, capture_output=True).stdout
    assert plain.endswith(b"k" * 32)
    parsed = [program, "asn1parse", "-in", "key.pem"]
    told = subprocess.run(parsed, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert ":PBES2" in told
    assert "aes-256-cbc" in told
    assert "scrypt" in told
