from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.real_data import VARIABLE, data_folder

ROOT = Path(__file__).resolve().parents[2]
PLACES = """
from benchmarks import front_ends, lung_data, spine
from tests import conftest
(default,) = lung_data.load_images.__wrapped__.__defaults__
print(default, front_ends.LUNG[0], front_ends.BREAST[0], spine.LUNG, conftest.SHARED_DATA, sep="\\n")
"""


@pytest.mark.parametrize("environment", [{}, {VARIABLE: ""}])
def test_data_lie_beside_the_checkout_unless_said_otherwise(environment: dict[str, str]) -> None:
    assert data_folder(environment) == (ROOT.parent / "shared" / "data").resolve()


def test_the_variable_points_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_folder({VARIABLE: str(tmp_path)}) == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_folder({VARIABLE: "~/data"}) == tmp_path / "data"
    monkeypatch.chdir(tmp_path)
    assert data_folder({VARIABLE: "data"}) == tmp_path / "data"


def test_every_benchmark_and_test_reads_there(tmp_path: Path) -> None:
    environment = {**os.environ, VARIABLE: str(tmp_path)}
    shown = subprocess.run(
        [sys.executable, "-c", PLACES], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    lung, breast = str(tmp_path / "pocus_lung_multisite"), str(tmp_path / "breast_us_two_site")
    assert shown.stdout.splitlines() == [lung, lung, breast, lung, str(tmp_path)]
