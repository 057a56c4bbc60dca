from __future__ import annotations

from pathlib import Path

import pytest

from federated import key_files, passphrases
from federated.errors import ConsiliumError
from federated.key_files import decrypt, encrypt, state_of
from federated.keys import create_private_key, public_hex, read_private_key

FIRST, SECOND = "first of the lines", "second of the lines"


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[Path, str]:
    """A process of its own, and a keyring in memory."""
    ring: dict[Path, str] = {}
    monkeypatch.setattr(passphrases, "_given", [])
    monkeypatch.setattr(passphrases, "_opened", {})
    monkeypatch.setattr(key_files, "put_into_keyring", ring.__setitem__)
    monkeypatch.setattr(key_files, "drop_from_keyring", ring.pop)
    return ring


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "site.pem"
    return path, public_hex(create_private_key(path))


def test_a_key_is_encrypted_then_under_another_passphrase_then_plain_again(key: tuple[Path, str]) -> None:
    path, public = key
    encrypt(path, FIRST, keyring=False)
    assert state_of("site", path).encrypted
    assert path.stat().st_mode & 0o777 == 0o600
    assert public_hex(read_private_key(path, FIRST)) == public
    passphrases._given.append(FIRST)
    encrypt(path, SECOND, keyring=False)
    with pytest.raises(ConsiliumError, match="another"):
        read_private_key(path, FIRST)
    passphrases._given.append(SECOND)
    decrypt(path)
    assert public_hex(read_private_key(path)) == public
    assert path.stat().st_mode & 0o777 == 0o600
    found = state_of("site", path)
    assert (found.encrypted, found.note) == (False, "whoever reads the file signs as its owner")


def test_the_keyring_keeps_a_passphrase_no_longer_than_the_file_says_so(
    key: tuple[Path, str], kept: dict[Path, str]
) -> None:
    path, _ = key
    encrypt(path, FIRST, keyring=True)
    assert kept == {path: FIRST}
    assert state_of("site", path).note == "in the keyring"
    passphrases._given.append(FIRST)
    encrypt(path, SECOND, keyring=False)
    assert kept == {}
    assert state_of("site", path).note == ""


def test_a_keyring_that_takes_nothing_leaves_the_file_as_it_was(
    key: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path, _passphrase: str) -> None:
        raise ConsiliumError("cannot be used", where="the keyring")

    monkeypatch.setattr(key_files, "put_into_keyring", refuse)
    before = key[0].read_bytes()
    with pytest.raises(ConsiliumError, match="the keyring"):
        encrypt(key[0], FIRST, keyring=True)
    assert key[0].read_bytes() == before


def test_a_key_that_nobody_opens_stays_as_it_is(key: tuple[Path, str]) -> None:
    path, _ = key
    encrypt(path, FIRST, keyring=False)
    before = path.read_bytes()
    passphrases._given.append(SECOND)
    with pytest.raises(ConsiliumError, match="the passphrase is another"):
        decrypt(path)
    assert path.read_bytes() == before
