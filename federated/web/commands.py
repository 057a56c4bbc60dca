"""Commands that all houses share: tokens, and the options of a door."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.tables import Json, print_json, print_tables, table
from federated.web.door import Door, door

if TYPE_CHECKING:
    from federated.web.access import Access

Host = Annotated[str, typer.Option(help="The address to listen at; beyond this machine with TLS only.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for any that is free.")]
Names = Annotated[list[str] | None, typer.Option("--name", help="A name by which browsers ask for the pages.")]
Cert = Annotated[Path | None, typer.Option(help="The certificate for TLS, PEM.")]
Key = Annotated[Path | None, typer.Option(help="Its private key, PEM.")]
Clients = Annotated[Path | None, typer.Option("--client-ca", help="Who signs client certificates, PEM.")]
Open = Annotated[bool, typer.Option("--open", help="Let this machine read without a token.")]


def door_of(
    host: str, port: int, names: list[str] | None, cert: Path | None, key: Path | None, clients: Path | None
) -> Door:
    """The door that the options tell of.

    Raises:
        ConsiliumError: they do not go together.
    """
    return door(host, port, names or (), cert, key, clients)


def access_of(path: Path, roles: Sequence[str], opened: Door, *, loopback: bool, cure: str) -> Access:
    """Who is let in, at a door.

    Args:
        path: ``access.toml``.
        roles: from the one that may least to the one that may most.
        opened: the door.
        loopback: whether everybody on this machine may read.
        cure: the command that lets somebody in.

    Raises:
        ConsiliumError: nobody could get in, or everybody beyond this machine.
    """
    from federated.errors import ConsiliumError
    from federated.web.access import Access, read_access

    if loopback and (not opened.loopback or opened.names):
        raise ConsiliumError("is for this machine alone", where="--open", cure=f"let people in one by one: {cure}")
    if not loopback and not read_access(path).people:
        raise ConsiliumError("nobody is let in", where=str(path), cure=f"{cure}, or --open for this machine alone")
    return Access(path, roles, loopback=loopback)


def token_commands(roles: tuple[str, ...], default: Path, file_of: Callable[[Path], Path]) -> typer.Typer:
    """The commands ``token add``, ``token list`` and ``token revoke`` of a house.

    Args:
        roles: from the one that may least to the one that may most.
        default: the house, where ``--home`` is not given.
        file_of: the house's ``access.toml``; raises a `ConsiliumError` where there is no such house.
    """
    app = typer.Typer(no_args_is_help=True, help="Who may see the pages.")
    folder = "The house's folder."
    role_help = f"{', '.join(roles[:-1])} or {roles[-1]}" if len(roles) > 1 else roles[0]

    @app.command()
    def add(
        name: str = typer.Argument(help="Who it is for, as the log of requests names them."),
        role: str = typer.Option(roles[0], help=f"What they may: {role_help}."),
        days: int = typer.Option(90, min=1, max=3650, help="How long it counts."),
        certificate: Path | None = typer.Option(None, help="Let in by this client certificate (PEM), not by a token."),
        home: Path = typer.Option(default, help=folder),
    ) -> None:
        """Let somebody in; the token is printed once, and nowhere kept."""
        from federated.errors import ConsiliumError
        from federated.web.access import add_certificate, add_token

        if role not in roles:
            raise ConsiliumError(f"no such role '{role}'", where="--role", cure=f"take {role_help}")
        path = file_of(home)
        if certificate is None:
            typer.echo(add_token(path, name, role, days=days))
        else:
            typer.echo(f"certificate {add_certificate(path, name, role, certificate, days=days)}")

    @app.command("list")
    def list_all(home: Path = typer.Option(default, help=folder), as_json: Json = False) -> None:
        """Say who may see the pages, in which role and until when."""
        from federated.web.access import read_access

        people = read_access(file_of(home)).people
        rows = [(one.name, one.role, one.ends, "token" if one.token else "certificate") for one in people]
        columns = ("name", "role", "until", "known by")
        if as_json:
            print_json([dict(zip(columns, row, strict=True)) for row in rows])
        else:
            print_tables(table("who may see the pages", columns, rows))

    @app.command()
    def revoke(
        name: str = typer.Argument(help="Whose token or certificate counts no more."),
        home: Path = typer.Option(default, help=folder),
    ) -> None:
        """Let somebody in no more, from the next request on."""
        from federated.web.access import revoke as revoke_in

        revoke_in(file_of(home), name)
        typer.echo(f"{name} is out")

    return app
