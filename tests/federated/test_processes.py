from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from federated.processes import WITH_PARENT, undisturbed


def _wait_for(path: Path) -> list[int]:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(number) for number in path.read_text().split()]


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while not _is_gone(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child together with its parent")
def test_a_child_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    start = (
        "import subprocess, sys, time;"
        f"child = subprocess.Popen([sys.executable, '-c', {WITH_PARENT!r}, sys.executable, '-c',"
        f' \'import os, time; open("{tmp_path}/new", "w").write(str(os.getpid()));'
        f' os.rename("{tmp_path}/new", "{tmp_path}/pid"); time.sleep(60)\']);'
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", start])
    (child,) = _wait_for(tmp_path / "pid")
    assert not _is_gone(child)
    parent.kill()
    parent.wait()
    _wait_until_gone(child)


def _start_something(steps: list[str]) -> None:
    with undisturbed():
        os.kill(os.getpid(), signal.SIGINT)
        steps.append("started")
        steps.append("known")
    steps.append("not reached")


def test_an_interruption_comes_after_what_must_not_be_disturbed() -> None:
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _start_something(steps)
    assert steps == ["started", "known"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
