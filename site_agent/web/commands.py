"""``consilium site web``: the hospital's pages, and who may see them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from federated.web.commands import Cert, Clients, Host, Key, Names, Open, Port, access_of, door_of, token_commands
from site_agent.options import HERE, open_home

PORT = 8081
CURE = "consilium site web token add NAME --role viewer"
ROLES = ("viewer", "approver")
app = typer.Typer(no_args_is_help=False, invoke_without_command=True)


def access_file(home: Path) -> Path:
    """Who may see the pages of a home.

    Raises:
        ConsiliumError: it is none.
    """
    return open_home(home).path / "access.toml"


app.add_typer(token_commands(ROLES, HERE, access_file), name="token")


@app.callback()
def web(
    context: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = PORT,
    name: Names = None,
    cert: Cert = None,
    key: Key = None,
    client_ca: Clients = None,
    open_: Open = False,
    home: Annotated[Path, typer.Option("--home", envvar="CONSILIUM_HOME", help="The site's folder.")] = HERE,
) -> None:
    """Show what is here, what waits and what left, as pages; approve, adopt or refuse there."""
    if context.invoked_subcommand:
        return
    from federated.web.serving import serve
    from site_agent.web.house import hospital

    opened, door = open_home(home), door_of(host, port, name, cert, key, client_ca)
    access = access_of(access_file(home), ROLES, door, loopback=open_, cure=CURE)
    opened.key()  # asks for a passphrase while somebody is there to type it
    serve(hospital(opened, access, door), door, announce=typer.echo)
