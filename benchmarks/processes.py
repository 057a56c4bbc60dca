"""Wall time and memory of a command with everything that it starts."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Watched:
    """Seconds until the command ended, and the most memory that its processes held together, shared pages once."""

    seconds: float
    peak_bytes: int


def watch(command: Sequence[str], log: Path) -> Watched:
    """Runs a command to its end, its output in `log`.

    Raises:
        RuntimeError: it failed; the message ends with the last lines of its output.
    """
    start, peak = time.perf_counter(), 0
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        while process.poll() is None:
            peak = max(peak, memory_of(process.pid))
            time.sleep(POLL_SECONDS)
    if process.returncode:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{tail}")
    return Watched(time.perf_counter() - start, peak)


def memory_of(pid: int) -> int:
    """Proportional set size of a process and all below it, in bytes; those that have just ended count nothing."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        return sum(_memory(process) for process in [parent, *parent.children(recursive=True)])
    return 0


def _memory(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return int(process.memory_full_info().pss)
    return 0


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
