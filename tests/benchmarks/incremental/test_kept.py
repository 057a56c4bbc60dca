"""What is kept is computed once, and its cost is told to those who find it ready."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.incremental.kept import Arrays, kept


def test_the_second_finds_it_ready_and_is_told_what_it_cost(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> Arrays:
        made.append(1)
        time.sleep(0.02)
        return {"x": np.arange(3), "words": np.array(["a", "b"])}

    first, nothing = kept(tmp_path / "folder" / "x.npz", make)
    second, seconds = kept(tmp_path / "folder" / "x.npz", make)
    assert made == [1]
    assert nothing == 0.0
    assert seconds >= 0.02
    assert second["x"].tolist() == [0, 1, 2]
    assert second["words"].tolist() == first["words"].tolist() == ["a", "b"]
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["x.npz"]
