"""The phantom's speed is measured on small runs, and the sums fit."""

from __future__ import annotations

import sys

import pytest

from benchmarks import phantom
from benchmarks.processes import Watched


def test_frames_are_measured_for_every_machine_and_claimed(monkeypatch):
    monkeypatch.setattr(phantom, "TURNS", 1)
    measured = phantom._frames(quick=True)
    *machines, small, whole = measured.rows
    assert [row["machine"] for row in machines] == phantom._machines()[:2]
    assert {"25", "1.2"} <= {claim.target.removeprefix("≤ ") for claim in measured.claims}
    for row in (small, whole):
        parts = [row[name] for name in ("motion", "tissue", "scanner", "label map", "contour")]
        assert min(parts) > 0
        assert sum(parts) < 1.5 * row["whole"]
    assert whole["samples"] > 4 * small["samples"]


def test_the_truth_in_space_is_timed(monkeypatch):
    monkeypatch.setattr(phantom, "TURNS", 1)
    (claim,) = phantom._three_dimensions(quick=True).claims
    assert claim.value > 0
    assert claim.target == "≤ 2"


def test_every_acquisition_is_of_another_patient():
    keys = [phantom._acquisition(seed, "A4C", "godwit", (64, 64)).patient for seed in range(6)]
    assert len({one.key for one in keys}) == 6
    assert {one.population for one in keys} == {"healthy", "dilated", "hypertrophic"}


def test_memory_of_ten_times_the_frames_is_held_against_that_of_few(monkeypatch):
    seen = []

    def watched(command, log):
        seen.append(command)
        return Watched(seconds=2.0 * len(seen), peak_bytes=100 * phantom.MIB + 20 * phantom.MIB * len(seen))

    monkeypatch.setattr(phantom, "watch", watched)
    memory, speed = phantom._streaming(quick=False).claims
    assert memory.value == pytest.approx(140 / 120)
    assert memory.holds is False
    assert speed.value == pytest.approx(10_000 / 4.0)
    assert [command[command.index("--patients") + 1] for command in seen] == ["40", "400"]
    assert seen[0][:4] == [sys.executable, "-m", "consilium", "phantom"]


def test_the_fastest_run_counts():
    runs = iter([200_000, 20])
    assert phantom._processor(lambda: sum(range(next(runs))), 2) < 0.001
