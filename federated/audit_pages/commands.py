"""``consilium audit serve`` and ``consilium audit token``: the auditor's pages, from a bundle alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.web.commands import Cert, Clients, Host, Key, Names, Open, Port, access_of, door_of, token_commands

if TYPE_CHECKING:
    from federated.audit_pages.room import Room
    from federated.keys import TrustFile

FILE = "access.toml"
ROLES = ("reader",)
token = token_commands(ROLES, Path(), lambda folder: folder / FILE)


def serve(
    bundle: Annotated[Path, typer.Argument(help="The bundle: a file, or the same as a folder.")],
    trust: Annotated[
        Path | None, typer.Option(help="keys.toml: whose signatures count, as the hospitals themselves gave it.")
    ] = None,
    witnesses: Annotated[int, typer.Option(min=0, help="How many hospitals must have signed the log, at least.")] = 2,
    open_: Open = False,
    host: Host = "127.0.0.1",
    port: Port = 8083,
    name: Names = None,
    cert: Cert = None,
    key: Key = None,
    client_ca: Clients = None,
    home: Annotated[Path, typer.Option(help="The folder with access.toml: who is let in.")] = Path(),
    cache: Annotated[Path | None, typer.Option(help="Where what was computed of bundles is kept.")] = None,
) -> None:
    """Show a bundle as pages: experts, weights, answers, decisions, releases, the log and every step of verification.

    The bundle is verified and read once; what was computed is kept, and found again by the bundle's digest. Nothing is
    shown to whoever has no token (consilium audit token add), unless --open lets everybody on this machine read.
    """
    from federated.audit_pages.house import audit_house
    from federated.keys import read_trust
    from federated.web.serving import serve as serve_pages

    door = door_of(host, port, name, cert, key, client_ca)
    access = access_of(home / FILE, ROLES, door, loopback=open_, cure="consilium audit token add NAME")
    keys = read_trust(trust) if trust else None
    room = room_of(bundle, keys, trust, witnesses, cache)
    serve_pages(audit_house(room, access, door), door, announce=typer.echo)


def room_of(path: Path, keys: TrustFile | None, trust: Path | None, witnesses: int, cache: Path | None) -> Room:
    """The bundle with its index, which is made where it is not there yet.

    Raises:
        ConsiliumError: the bundle cannot be read, or is none.
    """
    from federated.audit.bundle import open_bundle
    from federated.audit.whole import gathered, verify_bundle
    from federated.audit_pages.building import build
    from federated.audit_pages.caching import cached, default_folder, fingerprint, require_folder
    from federated.audit_pages.room import Room
    from federated.canonical import digest

    bundle, folder = open_bundle(path), require_folder(cache or default_folder())
    vouched = digest(trust.read_bytes()) if trust else "nobody"

    def make(file: Path) -> None:
        typer.echo("verifying and reading the bundle, once", err=True)
        build(file, bundle, gathered(verify_bundle(bundle, keys, witnesses=witnesses)))

    index = cached(folder, (fingerprint(path), vouched, str(witnesses)), make)
    return Room(index, bundle, keys)
