"""A demonstration that is interrupted while its SuperNode works leaves nothing running."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

START_SECONDS, STOP_SECONDS = 90.0, 60.0


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two sites with two labels each."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["path,label,patient,site"]
    for site in ("alder", "birch"):
        for label, level in (("dark", 90), ("light", 160)):
            for patient in range(8):
                name = f"{site}-{label}-{patient}.png"
                grey = np.clip(level + 20 * rng.normal(size=(32, 32)), 0, 255).astype(np.uint8)
                Image.fromarray(grey).save(folder / name)
                lines.append(f"{name},{label},{site}-{label}-{patient},{site}")
    (folder / "index.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _running(out: Path) -> list[str]:
    """Names of the processes that work for this demonstration."""
    found = []
    for process in psutil.process_iter(["cmdline", "status", "name"]):
        about = " ".join(process.info["cmdline"] or [])
        if str(out) in about and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(about)
    return found


def _wait_for(out: Path, program: str, demo: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not any(program in about for about in _running(out)):
        assert demo.poll() is None, demo.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_ctrl_c_stops_everything(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "consilium", "demo", "--data", str(pictures), "--out", str(out)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _wait_for(out, "flower-supernode", demo)
        demo.send_signal(signal.SIGINT)
        shown, errors = demo.communicate(timeout=STOP_SECONDS)
    finally:
        demo.kill()
    assert demo.returncode == 130, errors
    assert "Traceback" not in errors
    assert "alder has joined" in shown or "Order of arrival: alder, birch" in shown
    assert _running(out) == []
