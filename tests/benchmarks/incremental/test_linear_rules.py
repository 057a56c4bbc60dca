"""Rules of statistics as contestants."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.incremental.contestant import Start
from benchmarks.incremental.linear_rules import RULES, Linear
from benchmarks.incremental.suite import Suite, for_training
from federated.fusion.ridge import joint_ridge


def test_contributions_add_up_in_order_of_arrival(suite: Suite, start: Start) -> None:
    contestant = Linear(start, fit=joint_ridge)
    for site in suite.arriving(1):
        contestant.arrive(for_training(site))
    found = contestant.answer(suite.external[0].folds["test"], "outside")
    assert found.contributions is not None
    assert np.allclose(found.contributions.sum(axis=1), found.scores)
    only_first = found.labels.index("a")  # the second to arrive
    assert np.allclose(found.contributions[:, 0, only_first], 0.0)


def test_lifting_makes_more_to_send(suite: Suite, start: Start) -> None:
    plain, lifted = (partial(Linear, fit=joint_ridge, lifted=on)(start) for on in (False, True))
    for contestant in (plain, lifted):
        contestant.arrive(for_training(suite.sites[0]))
    assert lifted.sent()["first"] > 100 * plain.sent()["first"]
    assert "nearest class mean" in RULES
