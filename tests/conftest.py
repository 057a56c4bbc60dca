"""What every test shares: one thread of linear algebra, no network, files in memory, and real data missed aloud."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from benchmarks.real_data import VARIABLE, data_folder

QUIET = {
    "OMP_NUM_THREADS": "1",  # the last digits of a solve depend on the number of threads
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
}
os.environ.update(QUIET)

settings.register_profile("patient", deadline=None)  # a machine that others use too tells nothing by its clock
settings.load_profile("patient")

SHARED_DATA = data_folder()
MEMORY, ROOM = Path("/dev/shm"), 8 * 2**30
NOTHING_TO_READ = "no real data to read:"


def pytest_configure() -> None:
    """Files of tests lie in memory where there is room: homes flush each of theirs to the disk, which is half the wait.

    ``PYTEST_DEBUG_TEMPROOT`` or ``--basetemp`` say where else.
    """
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole federations first: begun last, as by xdist's own order by number of tests, one worker would end alone."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


@pytest.fixture
def shared_data() -> Path:
    """Folder of real data sets, one subfolder each; the test is skipped, aloud, where it is not there."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{NOTHING_TO_READ} {SHARED_DATA} is not there; {VARIABLE} says where else")
    return SHARED_DATA


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List every test that had no real data to read."""
    skipped = terminalreporter.stats.get("skipped", [])
    unread = [report.nodeid for report in skipped if NOTHING_TO_READ in str(report.longrepr)]
    if unread:
        terminalreporter.section(f"{len(unread)} tests had no real data to read in {SHARED_DATA}")
        for nodeid in unread:
            terminalreporter.line(nodeid)


@pytest.fixture(autouse=True)
def same_umask() -> Iterator[None]:
    """A command narrows the mode of new files for its own process, which here is that of all tests."""
    before = os.umask(0o022)
    yield
    os.umask(before)
