"""``consilium site backup`` and ``restore``: the home in one file, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from federated.errors import ConsiliumError, cannot_read
from site_agent.options import HERE, Home, Json, open_home, print_model

PassphraseFile = Annotated[
    Path | None, typer.Option(help="A file with the passphrase on its first line; it is asked for by default.")
]


def backup(
    file: Annotated[Path, typer.Argument(help="A new file, best on another disk.")],
    plain: Annotated[
        bool, typer.Option("--plain", help="Do not encrypt it: an ordinary tar file with every key in it.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Write the whole home, keys and images too, into one file that a passphrase opens."""
    from site_agent.backup.backup import back_up

    if plain and passphrase_file is not None:
        raise ConsiliumError("does not go with a passphrase", where="--plain", cure="leave one of them out")
    opened = open_home(home)
    done = back_up(opened, file, None if plain else _passphrase(passphrase_file, new=True))
    if as_json:
        print_model(done)
        return
    how = "encrypted" if done.encrypted else "NOT encrypted: who reads it has the site's keys and images"
    typer.echo(f"wrote {file}: {done.files} files, {done.bytes} bytes, {how}")


def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    home: Annotated[Path, typer.Option("--home", help="A new folder.")],
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make a home of a backup, in a new folder, after every file in it was checked."""
    from site_agent.backup.restore import is_encrypted
    from site_agent.backup.restore import restore as make_home

    about = make_home(file, home, _passphrase(passphrase_file, new=False) if is_encrypted(file) else None)
    if as_json:
        print_model(about)
        return
    typer.echo(f"made {home}: site {about.site} of federation {about.federation} as of {about.made}")
    typer.echo("never let this home and the one it was made of both work: they would use the same numbers twice")


def _passphrase(file: Path | None, *, new: bool) -> str:
    """From a file, or typed."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").split("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise cannot_read(file, error) from error
    if not sys.stdin.isatty():
        cure = "name a file with --passphrase-file" + (", or say --plain" if new else "")
        raise ConsiliumError("there is nobody to ask for one", where="the passphrase", cure=cure)
    return str(typer.prompt("passphrase", hide_input=True, confirmation_prompt=new))
