"""Leaving a site out takes away what only it taught."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.incremental.contestant import Start
from benchmarks.incremental.removal import read_removals, removals, write_removals
from benchmarks.incremental.suite import Suite


def test_an_answer_that_only_one_site_taught_goes_with_it(suite: Suite, start: Start, tmp_path: Path) -> None:
    found = removals("closed form", suite, start)
    assert found.displayed.shape == found.effect.shape == (len(found.patients), 2)
    labels = np.array([label for site in suite.sites for label in site.folds["test"].local.labels])
    of_a = labels == "a"  # only the first teaches it
    assert (found.effect[of_a, 0] < -0.3).mean() > 0.9
    assert (found.displayed[of_a, 0] > found.displayed[of_a, 1]).mean() > 0.9
    write_removals(tmp_path / "x.npz", found)
    assert np.array_equal(read_removals(tmp_path / "x.npz").effect, found.effect)
