from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from keyring.backend import KeyringBackend

from federated import passphrases
from federated.errors import ConsiliumError
from federated.files import write_new
from federated.key_agent import VARIABLE, KeyAgent
from federated.keys import create_private_key, public_hex, read_private_key
from federated.passphrases import (
    IN_KEYRING,
    agent_of,
    create_beside,
    give,
    given,
    in_keyring,
    lines_of,
    name_of,
    new_passphrase,
    unlocked_key,
)

WORDS = "twelve letters"


class Ring(KeyringBackend):
    """A keyring in memory."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a process of its own, without a terminal."""
    monkeypatch.setattr(passphrases, "_given", [])
    monkeypatch.setattr(passphrases, "_opened", {})
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)


@pytest.fixture
def locked(tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "keys" / "site.pem"
    return path, public_hex(create_private_key(path, WORDS))


@pytest.fixture
def ring() -> Iterator[Ring]:
    before, made = keyring.get_keyring(), Ring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def _file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_key_without_a_passphrase_asks_nobody(tmp_path: Path) -> None:
    key = create_private_key(tmp_path / "site.pem")
    assert public_hex(unlocked_key(tmp_path / "site.pem")) == public_hex(key)


def test_nobody_to_ask_is_one_line_with_the_cure(locked: tuple[Path, str]) -> None:
    with pytest.raises(ConsiliumError, match=r"is encrypted, and there is nobody to ask .*--passphrase-file"):
        unlocked_key(locked[0])


def test_a_file_of_lines_opens_the_key_once_a_process(locked: tuple[Path, str], tmp_path: Path) -> None:
    give(_file(tmp_path / "words", f"another one here\r\n{WORDS}\n"), None)
    assert public_hex(unlocked_key(locked[0])) == locked[1]
    passphrases._given.clear()
    assert public_hex(unlocked_key(locked[0])) == locked[1]


def test_a_descriptor_is_read_and_closed(locked: tuple[Path, str]) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{WORDS}\n".encode())
    os.close(writing)
    give(None, reading)
    assert public_hex(unlocked_key(locked[0])) == locked[1]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)


def test_a_wrong_passphrase_is_one_line_that_does_not_hold_it(locked: tuple[Path, str], tmp_path: Path) -> None:
    give(_file(tmp_path / "words", "twelve lettres"), None)
    with pytest.raises(ConsiliumError, match=r"site\.pem: the passphrase is another$") as caught:
        unlocked_key(locked[0])
    assert "lettres" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "holds no passphrase"), (b"\n\n", "holds no passphrase"), (b"\xff\xfe", "is not UTF-8")],
)
def test_a_file_without_one(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "words").write_bytes(data)
    with pytest.raises(ConsiliumError, match=said):
        give(tmp_path / "words", None)


def test_a_file_without_end_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "words").write_bytes(b"x" * 2**17)
    with pytest.raises(ConsiliumError, match="holds no passphrase"):
        give(tmp_path / "words", None)


def test_a_missing_file_and_a_closed_descriptor_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="No such file"):
        give(tmp_path / "missing", None)
    with pytest.raises(ConsiliumError, match="descriptor 999: cannot be read"):
        give(None, 999)


def test_a_credential_of_the_service_manager(
    locked: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    with pytest.raises(ConsiliumError, match="nobody to ask"):
        unlocked_key(locked[0])
    _file(folder / "coordinator", WORDS)  # for another key
    with pytest.raises(ConsiliumError, match="nobody to ask"):
        unlocked_key(locked[0])
    _file(folder / "site", WORDS)
    assert public_hex(unlocked_key(locked[0])) == locked[1]


def test_the_process_that_started_this_one(locked: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    with KeyAgent(name_of(locked[0].read_bytes()), key) as agent:
        monkeypatch.setenv(VARIABLE, str(agent.path))
        assert unlocked_key(locked[0]).private_bytes_raw() == b"k" * 32


def test_the_keyring_is_asked_where_the_file_says_so(locked: tuple[Path, str], ring: Ring) -> None:
    path, public = locked
    passphrases.put_into_keyring(path, WORDS)
    with pytest.raises(ConsiliumError, match="nobody to ask"):
        unlocked_key(path)
    marked = IN_KEYRING + path.read_bytes()
    path.unlink()
    write_new(path, marked)
    assert in_keyring(marked)
    assert public_hex(unlocked_key(path)) == public
    passphrases.drop_from_keyring(path)
    passphrases.drop_from_keyring(path)
    assert ring.kept == {}


def test_without_the_keyring_there_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    imported = builtins.__import__

    def without(name: str, *others: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "keyring":
            raise ImportError(name)
        return imported(name, *others, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConsiliumError, match=r"the keyring: is not installed; .*\[keyring\]"):
        passphrases.put_into_keyring(tmp_path / "site.pem", WORDS)


def test_a_keyring_that_takes_nothing_is_one_line(tmp_path: Path) -> None:
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(ConsiliumError, match="the keyring: cannot be used") as caught:
            passphrases.put_into_keyring(tmp_path / "site.pem", WORDS)
    finally:
        keyring.set_keyring(before)
    assert WORDS not in str(caught.value)


def test_a_key_beside_another_has_its_passphrase(locked: tuple[Path, str], tmp_path: Path) -> None:
    passphrases._given.append(WORDS)
    new = locked[0].with_name("site.next.pem")
    key = create_beside(locked[0], new)
    assert public_hex(read_private_key(new, WORDS)) == public_hex(key)
    create_private_key(tmp_path / "plain.pem")
    beside = create_beside(tmp_path / "plain.pem", tmp_path / "beside.pem")
    assert public_hex(read_private_key(tmp_path / "beside.pem")) == public_hex(beside)


def test_a_key_that_waits_is_opened_as_the_one_whose_place_it_takes(
    locked: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ring: Ring
) -> None:
    passphrases.put_into_keyring(locked[0], WORDS)
    locked[0].write_bytes(IN_KEYRING + locked[0].read_bytes())
    waiting = locked[0].with_name("site.next.pem")
    public = public_hex(create_beside(locked[0], waiting))
    passphrases._opened.clear()
    assert public_hex(unlocked_key(waiting)) == public
    assert len(ring.kept) == 1
    passphrases._opened.clear()
    passphrases.drop_from_keyring(locked[0])
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    _file(tmp_path / "site", WORDS)
    assert public_hex(unlocked_key(waiting)) == public


def test_a_terminal_is_asked_last(locked: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def prompt(text: str, **how: Any) -> str:
        asked.append((text, how["hide_input"], how["err"]))
        return WORDS

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", prompt)
    assert public_hex(unlocked_key(locked[0])) == locked[1]
    assert public_hex(unlocked_key(locked[0])) == locked[1]
    assert asked == [(f"passphrase of {locked[0]}", True, True)]


def test_a_new_passphrase_is_the_line_of_its_number_and_not_too_short(tmp_path: Path) -> None:
    lines = lines_of(_file(tmp_path / "words", "first of the lines\nsecond of the lines\nshort\n"))
    assert new_passphrase("the site's key", lines) == "first of the lines"
    assert new_passphrase("the approver's key", lines, 1) == "second of the lines"
    with pytest.raises(ConsiliumError, match="has 5 letters; choose one of 12"):
        new_passphrase("a third key", lines, 7)


def test_without_a_terminal_there_is_nobody_to_choose_one() -> None:
    with pytest.raises(ConsiliumError, match=r"the site's key: there is nobody to ask .*--new-passphrase-file"):
        new_passphrase("the site's key")


def test_what_was_given_is_known(tmp_path: Path) -> None:
    give(_file(tmp_path / "words", WORDS), None)
    assert given() == (WORDS,)
    give(None, None)
    assert given() == ()


def test_an_unlocked_key_is_lent_where_the_file_is_encrypted(
    locked: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passphrases._given.append(WORDS)
    agent = agent_of(locked[0])
    assert agent is not None
    passphrases._given.clear()
    passphrases._opened.clear()
    with agent:
        monkeypatch.setenv(VARIABLE, str(agent.path))
        assert public_hex(unlocked_key(locked[0])) == locked[1]
    create_private_key(tmp_path / "plain.pem")
    assert agent_of(tmp_path / "plain.pem") is None
