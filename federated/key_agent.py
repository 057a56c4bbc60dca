"""A key that a person has unlocked, for processes that this one starts: over a socket that its own user alone reaches.

Flower starts the coordinator's part of an event as a process of its own, which nobody can type a passphrase into. It
is told where the socket lies, in its environment; neither passphrase nor key ever stand there or in a file.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

VARIABLE = "CONSILIUM_KEY_AGENT"
NAME_BYTES, KEY_BYTES = 64, 32
SECONDS = 5.0


class KeyAgent:
    """Hands one key to processes of this user, while it is entered.

    Args:
        name: of the key, 64 letters.
        key: unlocked.
    """

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._name, self._key = name.encode(), key.private_bytes_raw()
        self._folder = Path(tempfile.mkdtemp(prefix="consilium-"))  # open to this user alone
        self.path = self._folder / "keys"
        self._socket = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> Self:
        self._socket.bind(str(self.path))
        self._socket.listen()
        threading.Thread(target=self._serve, name="key agent", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> None:
        while True:
            try:
                asked, _ = self._socket.accept()
            except OSError:
                return
            with asked, suppress(OSError):
                asked.settimeout(SECONDS)
                if _user_of(asked) == os.getuid() and _received(asked, NAME_BYTES) == self._name:
                    asked.sendall(self._key)


def key_from_agent(name: str) -> Ed25519PrivateKey | None:
    """A key from the agent that this process was told of; None where there is none, or it has another."""
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(SECONDS)
            agent.connect(path)
            agent.sendall(name.encode())
            raw = _received(agent, KEY_BYTES)
    except OSError:
        return None
    return Ed25519PrivateKey.from_private_bytes(raw) if len(raw) == KEY_BYTES else None


def _user_of(asked: socket.socket) -> int:
    """Who is at the other end; on systems that do not say, the folder's mode is the only guard."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.getuid()
    _, user, _ = struct.unpack("3i", asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(user)


def _received(from_whom: socket.socket, size: int) -> bytes:
    """So many bytes, or what came before the end."""
    data = bytearray()
    while len(data) < size and (more := from_whom.recv(size - len(data))):
        data += more
    return bytes(data)
