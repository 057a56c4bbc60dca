"""``consilium coordinator web``: the pages, and who may see them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from federated.web.commands import Cert, Clients, Host, Key, Names, Open, Port, access_of, door_of, token_commands
from server.options import HERE, Home

if TYPE_CHECKING:
    from server.web.pages import Pages

ROLES = ("viewer",)
PORT = 8082
CURE = "consilium coordinator web token add NAME"


def _file(home: Path) -> Path:
    from federated.web.access import FILE
    from server.home import CoordinatorHome

    return CoordinatorHome(home).path / FILE


app = typer.Typer(invoke_without_command=True, help="Show what arrived, what was made of it and who uses it, as pages.")
app.add_typer(token_commands(ROLES, HERE, _file), name="token")


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
    home: Home = HERE,
) -> None:
    """Show what arrived, what was made of it and who uses it, as pages."""
    if context.invoked_subcommand:
        return
    from federated.web.serving import serve
    from federated.web.site import site
    from server.home import CoordinatorHome
    from server.web.pages import NAV, Pages

    opened = CoordinatorHome(home)
    door = door_of(host, port, name, cert, key, client_ca)
    access = access_of(_file(home), ROLES, door, loopback=open_, cure=CURE)
    pages = Pages(opened)
    _read(pages)
    title = f"{opened.config.federation}: coordinator"
    app = site(title, pages.routes, access, door=door, nav=NAV, packages=("server.web",))
    serve(app, door, announce=typer.echo)


def _read(pages: Pages) -> None:
    """Releases are read before the first page is asked for, so that none is slow."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading releases", total=None)
        for number, count in pages.read():
            progress.update(task, completed=number, total=count)
