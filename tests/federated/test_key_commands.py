from __future__ import annotations

from pathlib import Path

import pytest

from federated import passphrases
from federated.errors import ConsiliumError
from federated.key_commands import chosen, decrypt_keys, encrypt_keys, new_passphrases, take_passphrases
from federated.keys import create_private_key, public_hex, read_private_key


@pytest.fixture(autouse=True)
def _a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrases, "_given", [])
    monkeypatch.setattr(passphrases, "_opened", {})


def _words(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "words"
    path.write_text("\n".join(lines))
    return path


def test_lines_are_for_keys_in_their_order(tmp_path: Path) -> None:
    take_passphrases(_words(tmp_path, "first of the lines", "second of the lines"), None)
    assert new_passphrases("a", "b", "c") == ("first of the lines", "second of the lines", "second of the lines")


def test_a_command_line_without_options_forgets_nothing(tmp_path: Path) -> None:
    take_passphrases(_words(tmp_path, "first of the lines"), None)
    take_passphrases(None, None)
    assert passphrases.given() == ("first of the lines",)


def test_keys_are_chosen_among_those_that_are_here(tmp_path: Path) -> None:
    create_private_key(tmp_path / "site.pem")
    files = {"site": tmp_path / "site.pem", "approver": tmp_path / "approver.pem"}
    assert list(chosen(files, None)) == ["site"]
    with pytest.raises(ConsiliumError, match="key 'approver': is not here; here are: site"):
        chosen(files, ["approver"])


def test_no_key_is_encrypted_unless_all_can_be(tmp_path: Path) -> None:
    """A new passphrase that is too short is found before a file changes."""
    for name in ("site", "approver"):
        create_private_key(tmp_path / f"{name}.pem")
    files = {name: tmp_path / f"{name}.pem" for name in ("site", "approver")}
    with pytest.raises(ConsiliumError, match="has 5 letters"):
        encrypt_keys(files, _words(tmp_path, "first of the lines", "short"), keyring=False)
    assert public_hex(read_private_key(files["site"]))
    encrypt_keys(files, _words(tmp_path, "first of the lines"), keyring=False)
    take_passphrases(tmp_path / "words", None)
    decrypt_keys(files)
    assert public_hex(read_private_key(files["approver"]))
