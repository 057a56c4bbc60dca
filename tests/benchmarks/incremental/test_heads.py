"""Linear heads as contestants, and the expert that is always over-confident."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.incremental.contestant import Fold, Start
from benchmarks.incremental.heads import HEADS, MAX_SOFTMAX, Experts, OneHead, SiteAlone, consulted
from benchmarks.incremental.suite import Suite, for_training
from deploy.demo.baselines import Head
from federated.fusion.pooling import max_logit, max_softmax


def test_a_site_that_never_arrived_has_no_answer(suite: Suite, start: Start) -> None:
    contestant = SiteAlone(start)
    contestant.arrive(for_training(suite.sites[0]))
    assert np.isneginf(contestant.answer(suite.sites[1].folds["test"], "second").scores).all()
    found = contestant.answer(suite.sites[0].folds["test"], "first")
    assert found.labels == ("a", "b")
    assert np.isfinite(found.scores).all()


def test_max_softmax_follows_the_expert_that_knows_two_labels_and_is_sure_of_anything() -> None:
    narrow = Head(("x", "y"), np.array([[40.0, -40.0]]), np.zeros(2))
    wide = Head(("a", "b", "c"), np.array([[3.0, 0.0, 0.0]]), np.zeros(3))
    said = consulted({"narrow": narrow, "wide": wide}, np.ones((1, 1)))
    pooled = max_softmax(said)
    assert pooled.labels[int(pooled.best[0])] == "x"


def test_fine_tuning_forgets_what_combining_keeps(suite: Suite, start: Start) -> None:
    fold = suite.sites[0].folds["test"]
    rows = [row for row, label in enumerate(fold.local.labels) if label == "a"]
    asked = Fold(fold.images[rows], fold.local.rows(rows))
    shares = {}
    for everything in (True, False):
        contestant = OneHead(start, everything=everything)
        for site in suite.sites:
            contestant.arrive(for_training(site))
        found = contestant.answer(asked, "first")
        shares[everything] = found.probabilities[:, found.labels.index("a")].mean()
    assert shares[True] > shares[False]


def test_heads_are_trained_once(suite: Suite, start: Start) -> None:
    site = for_training(suite.sites[0])
    assert Experts(start, pool=max_logit).arrive(site) == 0.0
    assert SiteAlone(start).arrive(site) > 0.0


@pytest.mark.parametrize("everything", [True, False])
def test_bytes_of_one_head(suite: Suite, start: Start, everything: bool) -> None:
    contestant = OneHead(start, everything=everything)
    contestant.arrive(for_training(suite.sites[0]))
    folds = [suite.sites[0].folds[name] for name in ("train", "validation")]
    expected = sum(fold.images.size for fold in folds) if everything else 4 * (6 * 2 + 2)
    assert contestant.sent() == {"first": expected}


def test_rows_of_a_table_are_counted_as_features(suite: Suite, start: Start) -> None:
    site = for_training(suite.sites[0])
    bare = {
        name: replace(fold, images=np.zeros((len(fold.images), 0, 0), np.uint8)) for name, fold in site.folds.items()
    }
    contestant = OneHead(start, everything=True)
    contestant.arrive(replace(site, folds=bare))
    assert contestant.sent()["first"] == 4 * sum(bare[name].local.features.size for name in ("train", "validation"))
    assert MAX_SOFTMAX in HEADS
