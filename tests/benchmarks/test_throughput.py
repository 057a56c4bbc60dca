"""The throughput in small: every network and loop has a row, and what is claimed is read off the rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import throughput
from benchmarks.throughput import Found
from tests.benchmarks.throughput_toys import TOYS

MINE, HALF, PLAIN, OTHER = [2.0, 4.0], [1.0, 2.0], [3.0, 6.0], [5.0, 5.0]


@pytest.fixture(scope="module")
def found() -> Found:
    seconds = {throughput.OURS: MINE, throughput.HALF: HALF, throughput.TORCH: PLAIN, throughput.MONAI: OTHER}
    loading = {name: [0.1 * second for second in taken] for name, taken in seconds.items()}
    steps = {(name, precision): [1.0, 1.0] for name in throughput.FORMATS for precision in throughput.TYPES}
    return Found(TOYS[2], seconds, seconds, loading, steps, steps)


def test_loops_are_compared_within_rounds(found: Found) -> None:
    rows = {row["loop"]: row for row in throughput._compared("Learning", found.learning, found.subject)}
    assert rows["ours"]["ours over it"] == 1
    assert rows["PyTorch"]["ours over it"] == 1.5
    assert (rows["MONAI"]["least"], rows["MONAI"]["most"]) == (1.25, 2.5)
    assert rows["ours"]["images a second"] == pytest.approx(3 / 3.0)


def test_loading_is_held_against_learning(found: Found) -> None:
    rows = {row["loop"]: row["over learning"] for row in throughput._loaded(found)}
    assert rows["ours"] == pytest.approx(10)
    assert rows["ours, bfloat16"] == pytest.approx(5)


def test_claims_are_those_of_the_worst_network(found: Found) -> None:
    slow = Found(found.subject, found.learning | {throughput.TORCH: [1.0, 2.0]}, *list(vars(found).values())[2:])
    claims = {claim.claim: claim for claim in throughput._claims([found, slow])}
    learning = next(claim for name, claim in claims.items() if "learnt from in float32, ours over PyTorch" in name)
    assert (learning.value, learning.holds) == (0.5, False)
    loaded = next(claim for name, claim in claims.items() if name.startswith("images loaded"))
    assert loaded.holds
    assert loaded.value == pytest.approx(5)


def test_one_subject_is_measured_in_all_its_loops() -> None:
    found = throughput._found(replace(TOYS[2], rounds=1, workers=(0,)))
    assert set(found.learning) == {"ours", "ours, bfloat16", "PyTorch, our network", "PyTorch", "MONAI"}
    assert set(found.asking) == set(found.loading) == {"ours", "PyTorch", "MONAI"}
    assert len(found.steps) == len(found.forwards) == 4
    machines = {precision: throughput.Machine(1e12, 1e11) for precision in throughput.TYPES}
    (row, half) = throughput._limits(found, machines)
    assert 0 < float(row["of the limit"] or 0) < 1
    assert row["GFLOP an image"] == pytest.approx(half["GFLOP an image"])
