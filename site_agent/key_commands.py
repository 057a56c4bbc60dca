"""``consilium site keys``: the site's and the approver's private keys, encrypted or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from federated.key_commands import (
    InKeyring,
    NewFile,
    Which,
    chosen,
    decrypt_keys,
    encrypt_keys,
    print_states,
)
from site_agent.options import HERE, Home, Json, open_home

if TYPE_CHECKING:
    from federated.key_files import KeyState
    from site_agent.home import SiteHome

app = typer.Typer(no_args_is_help=True, help="Show how private keys lie here; put them under a passphrase, or not.")
NODE = "the SuperNode reads it by itself, so it stays as it is; it opens the way in and signs no parcel"
PSEUDONYMS = "pseudonyms and sealed names hang on it; it stays as it is"
ELSEWHERE = "kept elsewhere, by the approver"


@app.command()
def status(home: Home = HERE, as_json: Json = False) -> None:
    """Show which keys are encrypted, and what stays readable."""
    print_states(_states(open_home(home)), as_json=as_json)


@app.command()
def encrypt(
    which: Which = None, keyring: InKeyring = False, new_passphrase_file: NewFile = None, home: Home = HERE
) -> None:
    """Put the site's and the approver's key under passphrases, or under other ones."""
    opened = open_home(home)
    with opened.lock():
        encrypt_keys(chosen(_files(opened), which), new_passphrase_file, keyring=keyring)


@app.command()
def decrypt(which: Which = None, home: Home = HERE) -> None:
    """Take the passphrases away again."""
    opened = open_home(home)
    with opened.lock():
        decrypt_keys(chosen(_files(opened), which))


def _files(home: SiteHome) -> dict[str, Path]:
    return {"site": home.site_key_path, "approver": home.approver_key_path}


def _states(home: SiteHome) -> list[KeyState]:
    from federated.key_files import KeyState, state_of

    found = [state_of(name, path) for name, path in _files(home).items() if path.exists()]
    if not home.approver_key_path.exists():
        found.append(KeyState(name="approver", file="", encrypted=False, note=ELSEWHERE))
    node, secret = home.flower_key_path, home.keys_path / "secret"
    found.append(KeyState(name="node", file=str(node), encrypted=False, note=NODE))
    found.append(KeyState(name="secret", file=str(secret), encrypted=False, note=PSEUDONYMS))
    return found
