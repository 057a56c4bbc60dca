"""The end of a process together with all that it started, in whatever session those are."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

STOP_SECONDS = 6.0
POLL_SECONDS = 0.05


def stop_tree(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and everything it started: asked first, then made to."""
    import psutil

    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for member in _living(family):
            with suppress(psutil.NoSuchProcess):
                end(member)
        deadline = time.monotonic() + STOP_SECONDS
        while _living(family) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    process.kill()
    process.wait()


def has_child(process: subprocess.Popen[bytes], name: str) -> bool:
    """Whether a program of this name runs among what a process has started."""
    import psutil

    try:
        family = _living(psutil.Process(process.pid).children(recursive=True))
        return any(any(part.endswith(name) for part in member.cmdline()) for member in family)
    except psutil.NoSuchProcess:  # a zombie is one too; the next look is better
        return True


def _living(family: list[psutil.Process]) -> list[psutil.Process]:
    """Who still runs; the dead whom nobody has buried do not count."""
    import psutil

    living = []
    for member in family:
        with suppress(psutil.NoSuchProcess):
            if member.is_running() and member.status() != psutil.STATUS_ZOMBIE:
                living.append(member)
    return living
