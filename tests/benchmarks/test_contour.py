"""The contour benchmark runs, and counts as it says."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.contour import FIGURES, claims, interval, joined, judged, measure, rows
from benchmarks.contour import QUICK as SETTING
from benchmarks.contour_methods import NAMES, SEGMENTED, TWO_HEADS


def test_a_quick_run_has_every_method_and_claim() -> None:
    found = measure(quick=True)
    means = [row for row in found.rows if row["table"] == "Means over test frames"]
    assert [row["method"] for row in means] == list(NAMES)
    assert all(set(FIGURES) <= set(row) for row in means)
    assert [claim.holds is None for claim in found.claims] == [False] * 5 + [True] * 2


def test_patients_of_two_seeds_are_apart() -> None:
    small = SETTING.__class__(**{**SETTING.__dict__, "patients": 4, "tested": 2, "epochs": 1})
    one = judged(small, 1)
    both = joined([one, judged(small, 2)])
    assert len(np.unique(both.patients)) == 2 * len(np.unique(one.patients))
    assert len(both.figures[TWO_HEADS]["Dice"]) == len(both.patients) == len(both.failed[SEGMENTED])
    claimed = {claim.claim: claim.value for claim in claims(both)}
    mean = both.figures[TWO_HEADS]["landmarks, mm"].mean()
    assert claimed["contour, two heads: landmarks, mean distance, as in the abstract"] == pytest.approx(mean)
    assert sum("by machine" in str(row["table"]) for row in rows(both)) == len(set(both.machines.tolist()))


def test_an_interval_is_of_patients_not_of_frames() -> None:
    random = np.random.default_rng(0)
    ones = random.normal(0, 1, 200)
    few = np.repeat(ones[:20], 10)
    low, high = interval(ones, np.arange(200))
    wide_low, wide_high = interval(few, np.repeat(np.arange(20), 10))
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(200), rel=0.2)
    assert wide_high - wide_low > 2 * (high - low)
    both = np.stack([np.full(200, 1.0), np.full(200, 4.0)], axis=1)
    assert interval(both, np.arange(200), lambda means: means[:, 0] / means[:, 1]) == (0.25, 0.25)
