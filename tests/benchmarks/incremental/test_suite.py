"""Contestants are shown no test fold."""

from __future__ import annotations

from benchmarks.incremental.suite import Suite, for_training


def test_a_site_is_shown_without_its_test_fold(suite: Suite) -> None:
    shown = for_training(suite.sites[0])
    assert set(shown.folds) == {"train", "validation", "calibration"}
    assert shown.labels == suite.sites[0].labels


def test_sites_arrive_in_the_order_that_is_asked_for(suite: Suite) -> None:
    assert [site.name for site in suite.arriving(1)] == ["second", "first"]
