"""``consilium site`` behind the fence: the agent alone, the node alone, and what they are set up with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from site_agent.options import HERE, Home, open_home

AGENT_SOCKET = Path("/run/consilium/agent.sock")  # where consilium-site.service has it
GROUP = "consilium-node"
FORWARDER_GROUP = "consilium-forwarder"


def agent(
    socket: Annotated[Path, typer.Option(help="The socket, in a folder of this user's own.")] = AGENT_SOCKET,
    group: Annotated[str, typer.Option(help="The OS group that may use it: the node's.")] = GROUP,
    home: Home = HERE,
) -> None:
    """Answer a node that runs as another OS user, until stopped (Ctrl-C)."""
    from site_agent.fence import group_number
    from site_agent.service import Door
    from site_agent.supernode import serve

    opened = open_home(home)
    opened.key()  # a passphrase is asked for now, or taken from where the unit says
    serve(opened, Door(socket, group_number(group)))


def node(folder: Annotated[Path, typer.Argument(help="The node's folder, as `fence` made it.")]) -> None:
    """Carry between the coordinator and the agent, from where nothing else can be reached, until stopped (Ctrl-C)."""
    from site_agent.node import run_node

    run_node(folder)


def certificate(
    answer: Annotated[Path | None, typer.Argument(help="The certificate that the coordinator sent.")] = None,
    home: Home = HERE,
) -> None:
    """Ask for the certificate with which this site passes the coordinator's gate, or take it in."""
    from site_agent.certificate import ask, take

    opened = open_home(home)
    if answer is None:
        typer.echo(f"send {ask(opened)} to the coordinator; then: consilium site certificate FILE")
        return
    typer.echo(f"counts until {take(opened, answer):%Y-%m-%d}; next: consilium site fence FOLDER")


def fence(
    folder: Annotated[Path, typer.Argument(help="Where the node's and the forwarder's folders go: /etc/consilium.")],
    node_group: Annotated[str, typer.Option(help="The OS group of the node.")] = GROUP,
    forwarder_group: Annotated[str, typer.Option(help="The OS group of the forwarder.")] = FORWARDER_GROUP,
    bundle: Annotated[
        str, typer.Option(help="Digest of the only bundle that is run; that of the courier installed here.")
    ] = "",
    home: Home = HERE,
) -> None:
    """Write what the node and the forwarder need, apart from the site's folder."""
    from site_agent.fence import Groups, build_fence, group_number
    from site_agent.flower_executor import own_bundle

    groups = Groups(group_number(node_group), group_number(forwarder_group))
    reviewed = bundle or own_bundle()
    build_fence(open_home(home), folder, groups, reviewed)
    typer.echo(f"wrote {folder / 'node'} and {folder / 'forwarder'}; the node runs {reviewed} and nothing else")
