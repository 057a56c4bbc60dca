"""The made-up hospitals: the paper's labels, and test patients who are seen in all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.incremental.phantom_hospitals import ARRIVING, ORDERS, Wanted, phantom, phantom_factored, still
from benchmarks.incremental.suite import Suite
from benchmarks.incremental.suites import QUICK
from shared_models.phantom.hospitals import HOSPITALS

SMALL = replace(QUICK, patients=3)


@pytest.fixture(scope="module")
def flat() -> Suite:
    return phantom(1, SMALL)


def test_eight_two_eleven_and_four_labels_arrive(flat: Suite) -> None:
    assert [len(HOSPITALS[site.name].labels) for site in flat.sites] == [8, 2, 11, 4]
    assert len(flat.vocabulary.codes) == 15
    assert [site.name for site in flat.external] == ["onyx", "quartz"]


def test_test_patients_are_seen_in_what_their_hospital_does_not_teach(flat: Suite) -> None:
    beryl = flat.sites[1]
    assert set(beryl.labels) == {"A2C", "A4C"}
    assert set(beryl.folds["test"].local.labels) == set(flat.vocabulary.codes)
    assert set(beryl.folds["validation"].local.labels) <= set(beryl.labels)


def test_a_patient_is_in_one_fold_and_no_seed_shares_one(flat: Suite) -> None:
    homes = [set(fold.local.patients) for fold in flat.sites[0].folds.values()]
    assert sum(map(len, homes)) == len(set.union(*homes)) == SMALL.patients
    assert all("-1-" in patient for home in homes for patient in home)


def test_contrast_is_no_label_where_it_is_factored_out() -> None:
    suite = phantom_factored(1, replace(SMALL, patients=2))
    assert len(suite.vocabulary.codes) == 11
    diorite = suite.sites[3]
    assert set(diorite.labels) <= {"A2C", "A3C", "A4C", "PLAX"}
    assert all(clip.endswith("+contrast") for clip in diorite.folds["test"].local.clips)


def test_an_image_is_the_same_every_time_and_another_for_another_seed() -> None:
    wanted = Wanted(2, "A4C")
    one, same, other = (still(HOSPITALS["agate"], seed, wanted) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_orders_are_of_the_arriving_hospitals() -> None:
    assert all(sorted(order) == sorted(ARRIVING) for order in ORDERS)
    assert len(set(ORDERS)) == len(ORDERS) == 4
