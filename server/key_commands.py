"""``consilium coordinator keys``: the coordinator's private key, encrypted or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from federated.key_commands import (
    InKeyring,
    NewFile,
    PassphraseFd,
    PassphraseFile,
    chosen,
    decrypt_keys,
    encrypt_keys,
    print_states,
    take_passphrases,
)
from server.options import HERE, Home, Json

if TYPE_CHECKING:
    from server.home import CoordinatorHome

app = typer.Typer(no_args_is_help=True, help="Show how the private key lies here; put it under a passphrase, or not.")
TLS = "the SuperLink reads it by itself, so it stays as it is; it signs no parcel and no log"


def group(passphrase_file: PassphraseFile = None, passphrase_fd: PassphraseFd = None) -> None:
    """What the coordinator runs: enrol sites, take in what they send, release."""
    take_passphrases(passphrase_file, passphrase_fd)


@app.command()
def status(home: Home = HERE, as_json: Json = False) -> None:
    """Show whether the key is encrypted, and what stays readable."""
    from federated.key_files import KeyState, state_of

    opened = _open(home)
    server = opened.certificates_path / "server.key"
    found = [state_of(name, path) for name, path in _files(opened).items()]
    found.append(KeyState(name="SuperLink", file=str(server), encrypted=False, note=TLS))
    print_states(found, as_json=as_json)


@app.command()
def encrypt(keyring: InKeyring = False, new_passphrase_file: NewFile = None, home: Home = HERE) -> None:
    """Put the coordinator's key under a passphrase, or under another one."""
    opened = _open(home)
    with opened.lock():
        encrypt_keys(chosen(_files(opened), None), new_passphrase_file, keyring=keyring)


@app.command()
def decrypt(home: Home = HERE) -> None:
    """Take the passphrase away again."""
    opened = _open(home)
    with opened.lock():
        decrypt_keys(chosen(_files(opened), None))


def _open(home: Path) -> CoordinatorHome:
    from server.home import CoordinatorHome

    return CoordinatorHome(home)


def _files(home: CoordinatorHome) -> dict[str, Path]:
    return {"coordinator": home.key_path}
