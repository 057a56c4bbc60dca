"""Opens the door: uvicorn with nothing of the address in its log, TLS, and the certificates of clients where asked."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from federated.errors import ConsiliumError
from federated.web.door import Door, Tls
from federated.web.gate import LOG, Gate

if TYPE_CHECKING:
    import uvicorn

GRACE_SECONDS = 3
MAX_HEAD = 16 * 2**10  # bytes of a request's first lines


def serve(app: Gate, door: Door, *, announce: Callable[[str], None]) -> None:
    """Serves until Ctrl-C or SIGTERM.

    Args:
        app: the pages.
        door: where.
        announce: is told the address once it can be opened.

    Raises:
        ConsiliumError: the address is taken, or a certificate cannot be read.
    """
    with listening(door) as listener:
        server = uvicorn_server(app, door)
        to_the_console()
        announce(address(door, listener.getsockname()[1]))
        try:
            asyncio.run(server.serve(sockets=[listener]))
        except KeyboardInterrupt:
            return


def uvicorn_server(app: Gate, door: Door) -> uvicorn.Server:
    """The server, not yet running.

    Raises:
        ConsiliumError: a certificate cannot be read.
    """
    import uvicorn

    from federated.web.protocol import DoorProtocol

    context = tls_context(door.tls) if door.tls else None
    config = uvicorn.Config(
        app,
        http=DoorProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=MAX_HEAD,
        ssl_context_factory=None if context is None else (lambda _config, _default: context),
    )
    return uvicorn.Server(config)


def tls_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or later; a client's certificate is taken where an authority is given, and has to be that authority's.

    Raises:
        ConsiliumError: a file cannot be read as what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:
        cure = "give a certificate and its own key, unencrypted, in PEM"
        raise ConsiliumError(f"cannot be used ({error})", where=f"{tls.certificate}, {tls.key}", cure=cure) from error
    if tls.client_authority:
        try:
            context.load_verify_locations(tls.client_authority)
        except OSError as error:
            raise ConsiliumError(f"cannot be used ({error})", where=str(tls.client_authority)) from error
        context.verify_mode = ssl.CERT_OPTIONAL  # who shows none may sign in with a token
    return context


def listening(door: Door) -> socket.socket:
    """The socket at the door.

    Raises:
        ConsiliumError: the address is taken, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in door.host else socket.AF_INET
    try:
        return socket.create_server((door.host, door.port), family=family)
    except (OSError, OverflowError) as error:
        where = f"{door.host}, port {door.port}"
        raise ConsiliumError(f"cannot listen there ({error})", where=where, cure="take another --port") from error


def address(door: Door, port: int) -> str:
    """What to open in a browser."""
    name = door.names[0] if door.names and door.tls else door.host
    return f"{'https' if door.tls else 'http'}://{f'[{name}]' if ':' in name else name}:{port}/"


def to_the_console() -> None:
    """Requests and faults as lines on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    LOG.handlers[:] = [handler]
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
