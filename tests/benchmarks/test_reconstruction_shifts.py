"""Walls overlap with themselves less the farther they are moved, and hardly otherwise in finer voxels."""

from __future__ import annotations

from benchmarks.reconstruction_shifts import MILLIMETRES, rows


def test_the_farther_the_less() -> None:
    (row,) = rows((32,), 2)
    found = [float(str(row[f"{mm:g} mm"])) for mm in MILLIMETRES]
    assert found == sorted(found, reverse=True)
    assert 0.85 < found[0] < 1
    assert 0.5 < found[-1] < 0.85
