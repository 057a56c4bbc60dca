"""The most frequent label needs no image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.incremental.contestant import Start
from benchmarks.incremental.frequent import MostFrequent
from benchmarks.incremental.suite import Suite, for_training


def test_it_counts_clips_by_site(suite: Suite, start: Start) -> None:
    contestant = MostFrequent(start)
    for site in suite.sites:
        contestant.arrive(for_training(site))
    own = contestant.answer(suite.sites[1].folds["test"], "second")
    assert np.isneginf(own.scores[:, own.labels.index("a")]).all()
    assert np.allclose(own.probabilities.sum(axis=1), 1.0)
    stranger = contestant.answer(suite.external[0].folds["test"], "outside")
    assert stranger.labels[int(stranger.scores[0].argmax())] == "b"  # both teach it
    blind = contestant.answer(
        replace(suite.external[0].folds["test"], images=np.zeros((80, 0, 0), np.uint8)), "outside"
    )
    assert np.array_equal(blind.scores, stranger.scores)
