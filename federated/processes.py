"""Processes that a site or the coordinator starts: none of them outlives who started it, however that ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

# Goes before a command: on Linux the child gets a SIGTERM when the thread that started it ends, be it killed.
WITH_PARENT = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def undisturbed() -> Iterator[Sequence[int]]:
    """Keeps Ctrl-C back for a moment: a process that was started is known, one that is being stopped is stopped.

    Yields what has come meanwhile, for work that may end sooner then.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def remember(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)
        for number in came[:1]:
            signal.raise_signal(number)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Makes a SIGTERM, by which service managers stop a program, end it as Ctrl-C does: with everything put away."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
