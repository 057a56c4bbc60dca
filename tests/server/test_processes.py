from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from server.processes import has_child, stop_tree

# Starts a grandchild in a session of its own, writes both numbers, and waits; "deaf" ignores being asked to end.
FAMILY = """
import os, signal, subprocess, sys, time
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(60)
"""


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


@pytest.mark.parametrize("manner", ["willing", "deaf"])
def test_a_family_is_ended_even_where_it_does_not_listen(
    tmp_path: Path, manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.processes.STOP_SECONDS", 0.5)
    process = subprocess.Popen([sys.executable, "-c", FAMILY, str(tmp_path / "pids"), manner])
    pids = _wait_for(tmp_path / "pids")
    stop_tree(process)
    assert process.returncode == (-signal.SIGTERM if manner == "willing" else -signal.SIGKILL)
    assert all(_is_gone(pid) for pid in pids)


def test_what_has_ended_by_itself_is_no_hindrance() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    stop_tree(process)
    assert process.returncode == 0


def test_a_program_is_found_among_what_a_process_started(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", FAMILY, str(tmp_path / "pids"), "willing", "flwr-app"])
    try:
        _, child = _wait_for(tmp_path / "pids")
        assert has_child(process, Path(sys.executable).name)
        assert not has_child(process, "flwr-app")
        psutil.Process(child).kill()
        _wait_until_gone(child)
        assert not has_child(process, Path(sys.executable).name)
    finally:
        stop_tree(process)
