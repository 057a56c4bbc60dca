"""Means and intervals are over patients, and seeds are joined."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.reconstruction_cells import Cell
from benchmarks.reconstruction_found import Found, by_views
from benchmarks.reconstruction_methods import DISCS, FUSED
from benchmarks.reconstruction_scores import Scores
from benchmarks.reconstruction_settings import VENTRICLE


def score(patient: str, overlap: float, error: float = 0.0) -> Scores:
    return Scores(patient, [overlap] * 4 + [overlap / 2] * 4, 1.0, error)


def found(patients: list[str], overlaps: list[float]) -> Found:
    each = [score(patient, overlap) for patient, overlap in zip(patients, overlaps, strict=True)]
    return Found(VENTRICLE, 2, patients, {FUSED: each}, {FUSED: 1.0})


def test_an_interval_is_of_patients_not_of_hearts() -> None:
    values = np.random.default_rng(0).normal(0, 1, 100)
    names = [str(number) for number in range(100)]
    low, high = found(names, values.tolist()).interval(values)
    assert high - low == pytest.approx(2 * 1.96 / 10, rel=0.25)
    few = np.repeat(values[:10], 10)
    wide_low, wide_high = found([name for name in names[:10] for _ in range(10)], few.tolist()).interval(few)
    assert wide_high - wide_low > 2 * (high - low)


def test_the_peak_is_of_the_mean_over_hearts() -> None:
    one = Scores("a", [0.9, *[0.1] * 7], 1.0, None)
    other = Scores("b", [*[0.1] * 7, 0.9], 1.0, None)
    both = Found(VENTRICLE, 2, ["a", "b"], {FUSED: [one, other]}, {FUSED: 1.0})
    assert both.peak(FUSED).iou == pytest.approx(0.5)
    assert both.at_peak(FUSED).mean() == pytest.approx(0.5)


def test_seeds_are_joined_one_after_the_other() -> None:
    cells = [
        Cell(VENTRICLE, FUSED, 2, seed, seconds, {}, [score(f"{seed}-{number}", 0.5, -3.0) for number in range(3)])
        for seed, seconds in ((1, 10.0), (2, 20.0))
    ]
    discs = [Cell(VENTRICLE, DISCS, 2, seed, 0.0, {}, [Scores("x", None, None, 4.0)] * 3) for seed in (1, 2)]
    (joined,) = by_views([*cells, *discs])
    assert joined.patients == ["1-0", "1-1", "1-2", "2-0", "2-1", "2-2"]
    assert joined.learnt_seconds[FUSED] == 15
    assert joined.volume_error(FUSED).tolist() == [3.0] * 6
    assert joined.ious(DISCS) is None
