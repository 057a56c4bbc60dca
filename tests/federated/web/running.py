"""A house that is served, in a thread of the test."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from federated.web.door import Door
from federated.web.gate import Gate
from federated.web.serving import listening, uvicorn_server

PATIENCE = 10.0


@contextmanager
def served(gate: Gate, door: Door) -> Iterator[int]:
    """The port at which it answers, until the block ends."""
    with listening(door) as listener:
        server = uvicorn_server(gate, door)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        try:
            _wait(lambda: server.started)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def _wait(ready: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
