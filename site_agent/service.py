"""The door through which the courier reaches the site agent: gRPC methods on a Unix socket of the site's own user.

Of an exchange both directions are streams of byte strings: a header in JSON, then one message a parcel. A checkpoint to
be witnessed is one such string, and so is the answer after its header. The answer's header holds the site's name and a
code; what went wrong is told to the hospital, never to the courier.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Annotated, Literal, Self

import grpc
from pydantic import Field, StringConstraints, ValidationError

from federated.envelope import MAX_PARCEL_BYTES
from federated.errors import ConsiliumError
from federated.manifest import Digest, Frozen

SERVICE = "consilium.site.Agent"
EXCHANGE, WITNESS = "Exchange", "Witness"
MAX_PARCELS = 1024
MAX_EXCHANGE_BYTES = 2 * MAX_PARCEL_BYTES
MAX_HEADER_BYTES = 2 * 2**20  # of all that an exchange may settle
MAX_SECONDS = 3600.0
MAX_SOCKET_BYTES = 100  # sun_path holds 108 bytes on Linux, 104 elsewhere
PLAIN_PATH = re.compile(r"^/[A-Za-z0-9._/-]+$")  # what needs no quoting in an address or a node's configuration
STOP_SECONDS = 5.0

Code = Literal["ok", "busy", "invalid", "refused", "failed"]
Settled = list[tuple[str, str]]
Exchange = Callable[[list[bytes], Settled], list[bytes]]
Witnessing = Callable[[bytes, list[bytes]], bytes]
Answer = Callable[[Iterator[bytes]], list[bytes]]
log = logging.getLogger(__name__)


class RequestHeader(Frozen):
    """What became of parcels that this site sent earlier: digest and outcome."""

    settled: tuple[tuple[Digest, Annotated[str, StringConstraints(max_length=200)]], ...] = Field(
        max_length=MAX_PARCELS
    )


def witnesses_nothing(_: bytes, _told: list[bytes]) -> bytes:
    """For who has no log to look at."""
    raise ConsiliumError("no log is witnessed here", where="agent")


@dataclass(frozen=True)
class Door:
    """A socket outside the home, for a courier that runs as another OS user.

    Attributes:
        socket: in a folder of the agent's own that nobody else may write to; the home stays closed to the courier.
        group: the courier's group, which may pass the folder and use the socket.
    """

    socket: Path
    group: int


class Service:
    """Serves one site's `exchange` while it is entered.

    Args:
        home: the site's folder, in which the socket lies unless there is a door.
        site: the name that answers carry.
        exchange: takes parcels and what became of earlier ones, gives the parcels to send.
        witness: takes a log's checkpoint with the proof that it goes on from the last one, and entries about this site;
            gives the checkpoint cosigned.
        door: where a courier of another OS user comes in; without one, only this user can open the socket.

    Raises:
        ConsiliumError: a service for this home is already running, or the socket cannot be made.
    """

    def __init__(
        self,
        home: Path,
        site: str,
        exchange: Exchange,
        witness: Witnessing = witnesses_nothing,
        *,
        door: Door | None = None,
    ) -> None:
        own = socket_path(home)
        self.socket = own if door is None else door.socket
        self._lock, self._door = own.with_suffix(".lock"), door
        self._site = site
        self._exchange, self._witness = exchange, witness
        self._busy = threading.Lock()
        self._claim: IO[str] | None = None
        self._server: grpc.Server | None = None

    def __enter__(self) -> Self:
        self._claim = _claim(self._lock)
        try:
            self._server = self._listen()
        except (RuntimeError, OSError) as error:
            self._claim.close()
            raise ConsiliumError("the agent's socket cannot be made", where=str(self.socket)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._claim is not None
        self._server.stop(STOP_SECONDS).wait()
        self._claim.close()

    def _listen(self) -> grpc.Server:
        answers = {EXCHANGE: self._exchanged, WITNESS: self._witnessed}
        handlers = {
            name: grpc.stream_stream_rpc_method_handler(partial(self._answer, answer))
            for name, answer in answers.items()
        }
        server = grpc.server(
            ThreadPoolExecutor(max_workers=4, thread_name_prefix="exchange"),
            handlers=[grpc.method_handlers_generic_handler(SERVICE, handlers)],
            options=[("grpc.max_receive_message_length", MAX_PARCEL_BYTES), ("grpc.max_send_message_length", -1)],
            maximum_concurrent_rpcs=4,
        )
        with _owner_only():
            server.add_insecure_port(f"unix:{self.socket}")
            server.start()
        self.socket.chmod(0o600)
        if self._door is not None:
            _open_to(self._door)
        return server

    def _answer(self, answer: Answer, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        remaining = context.time_remaining()
        in_time = remaining is not None and remaining <= MAX_SECONDS  # whoever asks must be ready to give up
        code, parcels = self._try(answer, requests) if in_time else ("invalid", [])
        yield json.dumps({"site": self._site, "code": code}).encode()
        yield from parcels

    def _exchanged(self, requests: Iterator[bytes]) -> list[bytes]:
        parcels, settled = _read(requests)
        return self._exchange(parcels, settled)

    def _witnessed(self, requests: Iterator[bytes]) -> list[bytes]:
        return [self._witness(next(requests, b""), _limited(requests))]

    def _try(self, answer: Answer, requests: Iterator[bytes]) -> tuple[Code, list[bytes]]:
        if not self._busy.acquire(blocking=False):
            return "busy", []
        try:
            return "ok", answer(requests)
        except (ValidationError, OverflowError):
            log.warning("the courier sent something that is not an exchange")
            return "invalid", []
        except ConsiliumError as error:
            log.error("%s", error)
            return "refused", []
        except Exception:
            log.exception("the exchange failed")
            return "failed", []
        finally:
            self._busy.release()


def socket_path(home: Path) -> Path:
    """Where a home's socket lies: in the home, or in a folder of this user's own where that path is too long.

    Raises:
        ConsiliumError: the folder for it belongs to somebody else.
    """
    path = home.resolve() / "run" / "agent.sock"
    if len(os.fsencode(path)) > MAX_SOCKET_BYTES or not PLAIN_PATH.match(str(path)):
        mark = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
        path = Path(tempfile.gettempdir()) / f"consilium-{os.getuid()}" / f"{mark}.sock"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    status = path.parent.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ConsiliumError("belongs to somebody else", where=str(path.parent), cure="remove it, or set TMPDIR")
    path.parent.chmod(0o700)
    return path


def _open_to(door: Door) -> None:
    """Lets a group pass the folder and use the socket, and do nothing else there."""
    for path, mode in ((door.socket, 0o660), (door.socket.parent, 0o710)):
        os.chown(path, -1, door.group)
        path.chmod(mode)


def _read(requests: Iterator[bytes]) -> tuple[list[bytes], Settled]:
    """Parcels and what became of earlier ones.

    Raises:
        ValidationError: the header is not one.
        OverflowError: more parcels or bytes than an exchange, or its header, may hold.
    """
    first = next(requests, b"")
    if len(first) > MAX_HEADER_BYTES:
        raise OverflowError
    header = RequestHeader.model_validate_json(first)
    return _limited(requests), list(header.settled)


def _limited(requests: Iterator[bytes]) -> list[bytes]:
    parcels: list[bytes] = []
    size = 0
    for parcel in requests:
        size += len(parcel)
        if len(parcels) == MAX_PARCELS or size > MAX_EXCHANGE_BYTES:
            raise OverflowError
        parcels.append(parcel)
    return parcels


def _claim(path: Path) -> IO[str]:
    """A lock that ends with this process, so that two agents never answer for one home."""
    file = path.open("a", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ConsiliumError(
            "another agent already runs for this home", where=str(path.parent), cure="stop it first"
        ) from error
    return file


@contextmanager
def _owner_only() -> Iterator[None]:
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)
