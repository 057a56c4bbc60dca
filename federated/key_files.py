"""The private keys of a home as files: encrypted with a passphrase or not, and where the passphrase is."""

from __future__ import annotations

from pathlib import Path

from federated.contract import Frozen
from federated.files import write_whole
from federated.keys import read_key_file
from federated.passphrases import IN_KEYRING, drop_from_keyring, in_keyring, put_into_keyring, unlocked_key
from federated.pkcs8 import encrypted_pem, is_encrypted, plain_pem


class KeyState(Frozen):
    """How one secret of a home lies there.

    Attributes:
        name: whose.
        file: where.
        encrypted: whether a passphrase opens it.
        note: what else there is to know, in words.
    """

    name: str
    file: str
    encrypted: bool
    note: str


def state_of(name: str, path: Path) -> KeyState:
    """A private key as it lies there.

    Raises:
        ConsiliumError: the file is missing, or readable by others.
    """
    pem = read_key_file(path)
    locked = is_encrypted(pem)
    note = "" if locked else "whoever reads the file signs as its owner"
    return KeyState(name=name, file=str(path), encrypted=locked, note="in the keyring" if in_keyring(pem) else note)


def encrypt(path: Path, passphrase: str, *, keyring: bool) -> None:
    """Puts a key under a passphrase, or under another one, in one step.

    Args:
        path: of the key.
        passphrase: from now on.
        keyring: whether the operating system's keyring keeps the passphrase.

    Raises:
        ConsiliumError: the key cannot be read, or the keyring takes nothing; the file is as it was.
    """
    pem = encrypted_pem(unlocked_key(path), passphrase)
    was = in_keyring(read_key_file(path))
    if keyring:
        put_into_keyring(path, passphrase)
    write_whole(path, IN_KEYRING + pem if keyring else pem, mode=0o600)
    if was and not keyring:
        drop_from_keyring(path)


def decrypt(path: Path) -> None:
    """Takes the passphrase from a key, in one step.

    Raises:
        ConsiliumError: the key cannot be opened; the file is as it was.
    """
    was = in_keyring(read_key_file(path))
    write_whole(path, plain_pem(unlocked_key(path)), mode=0o600)
    if was:
        drop_from_keyring(path)
