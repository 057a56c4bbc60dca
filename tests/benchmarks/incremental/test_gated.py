"""The gate on the shared front end as a contestant."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.incremental.contestant import Start
from benchmarks.incremental.gated import Gated
from benchmarks.incremental.suite import Suite, for_training
from federated.fusion.gated import Reads


@pytest.mark.parametrize("reads", ["features", "discrepancy", "none"])
def test_weights_are_of_every_site_and_contributions_add_up(suite: Suite, start: Start, reads: Reads) -> None:
    contestant = Gated(start, reads=reads)
    for site in suite.sites:
        contestant.arrive(for_training(site))
    found = contestant.answer(suite.external[0].folds["test"], "outside")
    assert found.weights is not None
    assert found.contributions is not None
    assert np.allclose(found.contributions.sum(axis=1), found.scores, atol=1e-5)
    assert np.allclose(found.weights.sum(axis=1), 2.0 if reads == "none" else 1.0, atol=1e-5)
    assert set(found.labels) == {"a", "b", "c"}


def test_features_are_sent_once_and_heads_travel_to_others(suite: Suite, start: Start) -> None:
    contestant = Gated(start, reads="features")
    for site in suite.sites:
        contestant.arrive(for_training(site))
    head = 4 * (6 * 2 + 2)
    folds = [suite.sites[0].folds[name].local.features.size for name in ("train", "validation")]
    assert contestant.sent()["first"] == head + 4 * sum(folds)
    assert contestant.received() == {"first": head, "second": head}
