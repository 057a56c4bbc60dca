"""Expert networks in the contest, tiny ones: what is trained once, what travels, and what adds up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.incremental.contestant import Fold, Site, Start
from benchmarks.incremental.network_experts import ExpertAlone, Experts, Panel
from benchmarks.incremental.suite import Suite, for_training
from federated.fusion.pooling import max_logit


def _noisy(site: Site) -> Site:
    """The same with grey levels that vary, since the clouds have black images."""
    generator = np.random.default_rng(len(site.name))

    def grey(fold: Fold) -> Fold:
        return replace(fold, images=generator.integers(0, 255, fold.images.shape, dtype=np.uint8))

    return Site(site.name, {name: grey(fold) for name, fold in site.folds.items()})


@pytest.fixture
def sites(suite: Suite) -> list[Site]:
    return [_noisy(site) for site in suite.sites]


def test_a_rule_that_comes_later_finds_experts_and_looks_ready(sites: list[Site], start: Start) -> None:
    first, second = Experts(start, pool=max_logit), Experts(start, pool=max_logit)
    assert first.arrive(for_training(sites[0])) == 0.0
    assert second.arrive(for_training(sites[0])) > 0.0
    fold = sites[1].folds["test"]
    one, other = first.answer(fold, "second"), second.answer(fold, "second")
    assert one.seconds == 0.0
    assert other.seconds > 0.0
    assert np.array_equal(one.scores, other.scores)


def test_a_fusion_learns_of_all_sites_and_adds_up(sites: list[Site], start: Start) -> None:
    contestant = Experts(start, reads="discrepancy")
    for site in sites:
        contestant.arrive(for_training(site))
    found = contestant.answer(sites[0].folds["test"], "first")
    assert found.contributions is not None
    assert found.weights is not None
    assert np.allclose(found.contributions.sum(axis=1), found.scores, atol=1e-4)
    assert np.allclose(found.weights.sum(axis=1), 1.0, atol=1e-5)
    experts = contestant.received()
    sent = contestant.sent()
    seen = {site.name: sent[site.name] - experts[other.name] for site, other in zip(sites, sites[::-1], strict=True)}
    images = {site.name: sum(len(site.folds[fold].local.labels) for fold in ("train", "validation")) for site in sites}
    floats = 2 * (32 + 2 + 244)  # of two experts of width 4: features, logits and neural means
    assert seen == {name: 4 * floats * count for name, count in images.items()}


def test_the_base_expert_is_the_first_site_s(sites: list[Site], start: Start) -> None:
    panel = Panel(start)
    for site in sites:
        panel.add(for_training(site))
    assert panel.base is not None
    assert panel.base[0] == "first"
    assert sorted(path.name for path in start.folder.glob("expert-*")) == [
        "expert-first-first.npz",
        "expert-first-second.npz",
    ]


def test_a_first_site_that_validates_on_nobody_is_learnt_from(sites: list[Site], start: Start) -> None:
    site = for_training(sites[0])
    empty = Fold(site.folds["validation"].images[:0], site.folds["validation"].local.rows([]))
    contestant = Experts(start, reads="features")
    contestant.arrive(Site("first", {**site.folds, "validation": empty}))
    assert contestant.temperature == 1.0
    assert np.isfinite(contestant.answer(sites[0].folds["test"], "first").scores).all()


def test_a_site_that_never_arrived_is_not_answered(sites: list[Site], start: Start) -> None:
    contestant = ExpertAlone(start)
    contestant.arrive(for_training(sites[0]))
    assert np.isneginf(contestant.answer(sites[1].folds["test"], "second").scores).all()
    assert contestant.answer(sites[0].folds["test"], "first").labels == ("a", "b")
    assert contestant.sent()["first"] > 0
