"""A suite comes back from its file as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.incremental.frozen import read_suite, write_suite
from benchmarks.incremental.suite import Suite


def test_nothing_is_lost(suite: Suite, tmp_path: Path) -> None:
    write_suite(tmp_path / "suite.npz", suite)
    read = read_suite(tmp_path / "suite.npz")
    assert (read.vocabulary, read.front_end, read.orders) == (suite.vocabulary, suite.front_end, suite.orders)
    assert [site.name for site in read.everyone] == [site.name for site in suite.everyone]
    for one, other in zip(read.everyone, suite.everyone, strict=True):
        for name, fold in other.folds.items():
            found = one.folds[name]
            assert found.images.dtype == np.uint8
            assert np.array_equal(found.images, fold.images)
            assert np.array_equal(found.local.features, fold.local.features)
            assert np.array_equal(found.local.weights, fold.local.weights)
            assert (found.local.labels, found.local.patients, found.local.clips) == (
                fold.local.labels,
                fold.local.patients,
                fold.local.clips,
            )
