"""What these tests need is there, or they fail: nothing here is skipped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AGENT, COURIER, STRANGER = 60101, 60102, 60103  # user and group ids that need no account
PYTHONS = (sys.executable, "/usr/bin/python3.11")


@pytest.fixture(scope="session", autouse=True)
def root() -> None:
    """Only root can act as other users."""
    if os.geteuid() != 0:
        pytest.fail("these tests need root, to act as other OS users: sudo make test-system", pytrace=False)


@pytest.fixture(scope="session")
def shared_python(root: None) -> str:
    """An interpreter that other OS users may run with the packages of this one."""
    for python in PYTHONS:
        try:
            if run_as(COURIER, python, "-c", "import flwr.clientapp, grpc, numpy, consilium").returncode == 0:
                return python
        except PermissionError:
            continue
    pytest.fail(f"other OS users can run none of {', '.join(PYTHONS)} with the packages of this one", pytrace=False)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may pass through and none but root may list."""
    path = Path(tempfile.mkdtemp(prefix="consilium-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_as(user: int, *command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """A command run to its end as another user, in no group but its own."""
    return subprocess.run(
        command,
        user=user,
        group=user,
        extra_groups=[],
        cwd="/",
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def start_as(user: int, *command: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """A command started as another user, to be ended by closing its standard input or by a signal."""
    return subprocess.Popen(
        command,
        user=user,
        group=user,
        extra_groups=[],
        cwd="/",
        env=env or environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def environment() -> dict[str, str]:
    """The packages of this interpreter, and nothing of root's."""
    packages = [path for path in sys.path if path.endswith("site-packages")]
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *packages]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "HOME": "/nonexistent",
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
    }
