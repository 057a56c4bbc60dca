"""Real digits as sites: who teaches what, and what only the test folds show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.incremental.digits import EXTERNAL, LABELS, SITES, broadly_written, digits, labels_by_site
from benchmarks.incremental.suite import Suite
from benchmarks.incremental.suites import QUICK


@pytest.fixture(scope="module")
def drawn() -> Suite:
    return digits(1, replace(QUICK, cases=20))


def test_six_labels_a_site_of_nine_together() -> None:
    for seed in range(20):
        found = labels_by_site(np.random.default_rng(seed))
        assert {len(labels) for labels in found.values()} == {6}
        assert len({label for labels in found.values() for label in labels}) == 9


def test_every_site_is_tested_on_all_ten_and_taught_six(drawn: Suite) -> None:
    assert [site.name for site in drawn.sites] == list(SITES)
    for site in drawn.sites:
        assert len(site.labels) == 6
        assert set(site.folds["test"].local.labels) == set(LABELS)
        assert site.folds["train"].images.shape[1:] == (QUICK.digit_side, QUICK.digit_side)
        assert site.folds["train"].local.features.shape[1] == drawn.front_end.features
    assert len(drawn.orders) == 6


def test_the_external_site_only_tests(drawn: Suite) -> None:
    (external,) = drawn.external
    assert external.name == EXTERNAL
    assert external.labels == ()
    assert set(external.folds["test"].local.labels) == set(LABELS)


def test_a_seed_draws_the_same_suite(drawn: Suite) -> None:
    again = digits(1, replace(QUICK, cases=20))
    fold, other = (one.sites[1].folds["train"].local for one in (drawn, again))
    assert np.array_equal(fold.features, other.features)
    assert fold.labels == other.labels


def test_a_broad_pen_covers_more() -> None:
    image = np.zeros((24, 24), np.uint8)
    image[4:20, 12] = 255
    assert (broadly_written(image) > 0).sum() > 2 * (image > 0).sum()
