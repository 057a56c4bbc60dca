"""Statistics on what experts have learnt."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from benchmarks.incremental.closed_form import ClosedForm
from benchmarks.incremental.contestant import Start
from benchmarks.incremental.expert_features import OnExperts
from benchmarks.incremental.suite import Suite, for_training
from tests.benchmarks.incremental.test_network_experts import _noisy

SHARED, LEARNT = 6, 32  # features: of the clouds, and of an expert of width 4


@pytest.mark.parametrize("everybody", [False, True])
def test_features_grow_only_where_all_experts_are_stacked(suite: Suite, start: Start, everybody: bool) -> None:
    contestant = OnExperts(start, rule=partial(ClosedForm, form="none"), everybody=everybody)
    for site in suite.sites:
        contestant.arrive(for_training(_noisy(site)))
    assert isinstance(contestant.inner, ClosedForm)
    assert contestant.inner.start.front_end.features == SHARED + LEARNT * (2 if everybody else 1)
    fold = contestant._fold(_noisy(suite.sites[0]).folds["test"])
    assert (fold.local.features[:, -1] == 1.0).all()
    assert np.allclose(np.linalg.norm(fold.local.features[:, :LEARNT], axis=1), 1.0)
    assert len(contestant.inner.sites) == 2


def test_what_was_shared_before_counts(suite: Suite, start: Start) -> None:
    contestant = OnExperts(start, rule=partial(ClosedForm, form="none"), everybody=True)
    contestant.arrive(for_training(_noisy(suite.sites[0])))
    before = contestant.sent()["first"]
    contestant.arrive(for_training(_noisy(suite.sites[1])))
    assert contestant.inner is not None
    assert contestant.sent()["first"] == before + contestant.inner.sent()["first"]
