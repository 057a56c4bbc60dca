"""A command is timed with all that it starts, and its failure is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks.processes import memory_of, size_of, watch

CHILD = "import time; block = bytearray(64 * 2**20); time.sleep(1.2)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}], check=True); print('done')"


def test_time_and_memory_of_children_count(tmp_path: Path) -> None:
    watched = watch([sys.executable, "-c", PARENT], tmp_path / "log")
    assert 1.2 <= watched.seconds < 20
    assert 64 * 2**20 < watched.peak_bytes < 512 * 2**20
    assert (tmp_path / "log").read_text(encoding="utf-8") == "done\n"


def test_a_failure_is_told_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)ended with 3:.*what went wrong"):
        watch([sys.executable, "-c", "print('what went wrong'); raise SystemExit(3)"], tmp_path / "log")


def test_memory_of_this_process_is_that_of_a_python(tmp_path: Path) -> None:
    assert 10 * 2**20 < memory_of(os.getpid()) < 4 * 2**30
    assert memory_of(2**22 + 1) == 0


def test_size_counts_files_and_no_links(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(bytes(1000))
    (tmp_path / "link").symlink_to(tmp_path / "below" / "file")
    assert size_of(tmp_path) == 1000
