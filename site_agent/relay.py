"""A port of a machine that has no network, behind which lies a Unix socket: the node's only way to the forwarder."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CHUNK = 2**16
MOST = 64  # connections at a time


@contextmanager
def relay(target: Path) -> Iterator[int]:
    """The port on 127.0.0.1, while it is entered, whose every connection is passed on to a Unix socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        places = threading.BoundedSemaphore(MOST)
        threading.Thread(target=_serve, args=(listener, target, places), name="relay", daemon=True).start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for the next connection


def _serve(listener: socket.socket, target: Path, places: threading.BoundedSemaphore) -> None:
    while True:
        places.acquire()
        try:
            near, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_pass_on, args=(near, target, places), name="relay", daemon=True).start()


def _pass_on(near: socket.socket, target: Path, places: threading.BoundedSemaphore) -> None:
    """One connection, both ways, until both sides have said everything; hung up where nobody listens behind it."""
    try:
        with near, socket.socket(socket.AF_UNIX) as far, suppress(OSError):
            far.connect(str(target))
            back = threading.Thread(target=_copy, args=(far, near), name="relay", daemon=True)
            back.start()
            _copy(near, far)
            back.join()
    finally:
        places.release()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
