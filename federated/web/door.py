"""Where pages are reached: address, names, certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from federated.errors import ConsiliumError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Tls:
    """Files of PEM; with `client_authority` certificates of clients that it signed are asked for."""

    certificate: Path
    key: Path
    client_authority: Path | None = None


@dataclass(frozen=True)
class Door:
    """Where pages are served; beyond this machine with TLS only.

    Attributes:
        host: the address to listen at.
        port: 0 for any that is free.
        names: under which browsers ask for the pages, besides the address.
        tls: certificate and key.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    names: tuple[str, ...] = ()
    tls: Tls | None = None

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in LOOPBACK

    @property
    def hosts(self) -> frozenset[str]:
        """What a request may call this host."""
        own = LOOPBACK if self.loopback else (self.host,)
        return frozenset(name.lower() for name in (*own, *self.names))

    @property
    def secure(self) -> bool:
        """Whether browsers come by https: TLS is spoken here, or in front of a name that was given."""
        return self.tls is not None or bool(self.names)


def door(
    host: str, port: int, names: Sequence[str], certificate: Path | None, key: Path | None, clients: Path | None
) -> Door:
    """The door that somebody asked for.

    Raises:
        ConsiliumError: it would be open beyond this machine without TLS, or half of a certificate is given.
    """
    if (certificate is None) != (key is None):
        raise ConsiliumError("--cert and --key go together", where="web")
    tls = Tls(certificate, key, clients) if certificate and key else None
    if clients and tls is None:
        raise ConsiliumError("client certificates need TLS", where="--client-ca", cure="give --cert and --key too")
    made = Door(host, port, tuple(names), tls)
    if not made.loopback and tls is None:
        cure = "give --cert and --key, or listen at 127.0.0.1 behind a proxy that speaks TLS"
        raise ConsiliumError("pages leave this machine with TLS only", where=f"--host {host}", cure=cure)
    if not made.loopback and host in {"0.0.0.0", "::"} and not names:  # noqa: S104 - is refused
        raise ConsiliumError("by which name do browsers ask for it", where=f"--host {host}", cure="give --name")
    return made
