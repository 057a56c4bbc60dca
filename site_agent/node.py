"""The site's SuperNode behind the fence: an OS user of its own, no network, two sockets, one bundle.

Its folder holds all that it needs to know and nothing of the site's home: a configuration, the node's key and the
certificate of the forwarder. It does not start on a machine or in a container from which anything else can be reached.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import StringConstraints

from federated.enrolment import Address
from federated.errors import ConsiliumError
from federated.homes import read_config
from federated.manifest import Digest, Frozen, Name
from federated.processes import ended_by_sigterm
from site_agent.relay import relay
from site_agent.supernode import Node, keep_online

SETTINGS, KEY, AUTHORITY = "node.toml", "flower", "authority.crt"
IPV4_ROUTES, IPV6_ROUTES = Path("/proc/self/net/route"), Path("/proc/self/net/ipv6_route")
LOOPBACK = "lo"
PlainPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/-]+$", max_length=100)]


class NodeSettings(Frozen):
    """``node.toml``.

    Attributes:
        site: the site's name.
        gate: host:port of the coordinator's gate, for messages.
        agent: the agent's socket.
        forwarder: the forwarder's socket.
        bundle: digest of the only bundle that is run.
    """

    version: Literal[1] = 1
    site: Name
    gate: Address
    agent: PlainPath
    forwarder: PlainPath
    bundle: Digest


def read_settings(folder: Path) -> NodeSettings:
    """The settings in a node's folder.

    Raises:
        ConsiliumError: there are none, or something is wrong with them.
    """
    missing = ConsiliumError("is not a node's folder", where=str(folder), cure="make one with: consilium site fence")
    return read_config(folder / SETTINGS, NodeSettings, missing=missing)


def run_node(folder: Path, *, say: Callable[[str], None] = typer.echo) -> None:
    """Carries between the coordinator and the agent until it is stopped (Ctrl-C or SIGTERM).

    Args:
        folder: the node's, as `consilium site fence` makes it.
        say: takes one line for each change.

    Raises:
        ConsiliumError: the folder is none, or something but the two sockets can be reached from here.
    """
    settings = read_settings(folder)
    require_fence()
    with (
        ended_by_sigterm(),
        tempfile.TemporaryDirectory(prefix="consilium-node-") as work,
        relay(Path(settings.forwarder)) as port,
    ):
        node = Node(
            site=settings.site,
            superlink=f"127.0.0.1:{port}",
            authority=(folder / AUTHORITY).resolve(),
            key=(folder / KEY).resolve(),
            socket=Path(settings.agent),
            folder=Path(work),
            bundle=settings.bundle,
            gate=settings.gate,
        )
        keep_online(node, say)


def require_fence(ipv4: Path = IPV4_ROUTES, ipv6: Path = IPV6_ROUTES, user: int | None = None) -> None:
    """Does nothing, unless the fence is not standing: packets could leave, or nothing is out of reach.

    Args:
        ipv4: the kernel's table of routes, as this process sees it.
        ipv6: the same.
        user: number of the OS user; this process's.

    Raises:
        ConsiliumError: there is a route that is not loopback's, the kernel does not say, or this is root.
    """
    cure = "start it with consilium-node.service, or in a container without a network"
    if (os.geteuid() if user is None else user) == 0:
        raise ConsiliumError("a node must not run as root", where="node", cure=cure)
    try:
        v4 = [line.split()[0] for line in ipv4.read_text(encoding="ascii").splitlines()[1:]]
        v6 = [line.split()[-1] for line in ipv6.read_text(encoding="ascii").splitlines()] if ipv6.exists() else []
    except OSError as error:
        raise ConsiliumError("the kernel does not say what can be reached from here", where=str(ipv4)) from error
    ways = sorted({*v4, *v6} - {LOOPBACK})
    if ways:
        raise ConsiliumError(f"a node must not have a network, this one has {', '.join(ways)}", where="node", cure=cure)
