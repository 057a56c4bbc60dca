"""What the commands about keys of a site and of a coordinator have in common: options, and what they do with files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from federated.tables import print_json, print_tables, table

if TYPE_CHECKING:
    from federated.key_files import KeyState

PassphraseFile = Annotated[
    Path | None, typer.Option(help="A file with the passphrases of encrypted keys, one a line; asked for by default.")
]
PassphraseFd = Annotated[int | None, typer.Option(help="The same from a descriptor that is already open.")]
NewFile = Annotated[
    Path | None, typer.Option(help="A file with the new passphrases, one a line and key; asked for by default.")
]
Which = Annotated[list[str] | None, typer.Argument(help="Which keys; all that lie here by default.")]
InKeyring = Annotated[bool, typer.Option("--keyring", help="Have the operating system's keyring keep the passphrase.")]
Encrypted = Annotated[bool, typer.Option("--encrypt", help="Put the new keys under a passphrase, which is asked for.")]
OLD_COPIES = "copies made before, as backups, and what the disk still holds of the old file are as they were"


def take_passphrases(file: Path | None, descriptor: int | None) -> None:
    """Those of a command line's options, for this process."""
    if file is None and descriptor is None:
        return
    from federated.passphrases import give

    give(file, descriptor)


def new_passphrases(*whose: str) -> tuple[str, ...]:
    """For keys that are about to be made: the lines given for this process, or typed."""
    from federated.passphrases import given, new_passphrase

    return tuple(new_passphrase(one, given(), number) for number, one in enumerate(whose))


def chosen(files: Mapping[str, Path], names: Sequence[str] | None) -> dict[str, Path]:
    """Those of a home's key files that are meant.

    Raises:
        ConsiliumError: there is no such key here.
    """
    here = {name: path for name, path in files.items() if path.exists()}
    unknown = [name for name in names or () if name not in here]
    if unknown:
        raise ConsiliumError("is not here", where=f"key '{unknown[0]}'", cure=f"here are: {', '.join(here)}")
    return {name: path for name, path in here.items() if not names or name in names}


def encrypt_keys(files: Mapping[str, Path], new: Path | None, *, keyring: bool) -> None:
    """Each under a passphrase of its own."""
    from federated.key_files import encrypt
    from federated.passphrases import lines_of, new_passphrase, unlocked_key

    lines = lines_of(new) if new is not None else ()
    for path in files.values():
        unlocked_key(path)  # before anybody thinks of a new passphrase
    wanted = [new_passphrase(f"the {name}'s key", lines, number) for number, name in enumerate(files)]
    for (name, path), passphrase in zip(files.items(), wanted, strict=True):
        encrypt(path, passphrase, keyring=keyring)
        typer.echo(f"{name}: {path} is encrypted; without the passphrase the key is lost")
    typer.echo(OLD_COPIES, err=True)


def decrypt_keys(files: Mapping[str, Path]) -> None:
    """Each without a passphrase from now on."""
    from federated.key_files import decrypt

    for name, path in files.items():
        decrypt(path)
        typer.echo(f"{name}: {path} is NOT encrypted: whoever reads it signs as its owner")


def print_states(states: Sequence[KeyState], *, as_json: bool) -> None:
    """How keys lie in a home."""
    if as_json:
        print_json([state.model_dump(mode="json") for state in states])
        return
    rows = [(one.name, one.file, "yes" if one.encrypted else "no", one.note) for one in states]
    print_tables(table("", ("key", "file", "encrypted", "note"), rows))
