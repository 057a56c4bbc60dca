"""What every test shares: one thread of linear algebra, no network, and real data that is missed aloud."""

from __future__ import annotations

import os
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
NOTHING_TO_READ = "no real data to read:"


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
