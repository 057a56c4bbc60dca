"""Figures of answers that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.incremental import figures
from benchmarks.incremental.answers import Answers


@pytest.fixture
def told() -> Answers:
    """Two arrivals, six clips: four of site s (a, a, b, and x that nobody teaches), one each of t and of outside."""
    return Answers(
        about={"suite": "s", "preset": "p", "seed": 1, "order": 0, "contestant": "c"},
        labels=("a", "b", "x"),
        order=("s", "t"),
        external=("outside",),
        taught={"s": ("a", "b"), "t": ("b",)},
        sites=np.array(["s", "s", "s", "s", "t", "outside"]),
        patients=np.array(["1", "2", "3", "4", "5", "6"]),
        clips=np.array(["1", "2", "3", "4", "5", "6"]),
        truth=np.array(["a", "a", "b", "x", "a", "b"]),
        answered=np.array([[0, 0, 1, 0, 1, 1], [0, 1, 1, 0, 1, 1]]),
        right=np.array([[1, 1, 1, 0, 0, 1], [1, 0, 1, 0, 0, 1]], dtype=bool),
        within=np.array([[1, 1, 1, 0, 0, 1], [1, 0, 1, 0, 0, 1]], dtype=bool),
        known=np.array([[1, 1, 1, 0, 1, 1]] * 2, dtype=bool),
        seen=np.array([[1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0]], dtype=bool),
        probability=np.array([[0.5] * 6, [0.95, 0.95, 0.5, 0.95, 0.5, 1.0]]),
        p=np.array([[1.0] * 6, [0.5, 0.5, 0.5, 0.01, 0.5, 0.5]]),
        drift=np.array([np.nan, 0.0]),
        seconds=np.array([1.0, 2.0]),
        images_per_second=np.array([10.0, 20.0]),
        sent={"s": np.array([1000, 3000]), "t": np.array([0, 2000])},
        received={"s": np.array([0, 0]), "t": np.array([0, 0])},
        weights=np.zeros((6, 0)),
        contributions=np.zeros((6, 0)),
    )


def test_every_pair_counts_alike(told: Answers) -> None:
    """Pairs (s, a) half right, (s, b) right, (t, a) wrong."""
    assert figures.over_pairs(told, figures.last_known(told)) == pytest.approx(0.5)
    assert figures.over_pairs(told, figures.last_seen(told)) == pytest.approx(0.75)
    assert figures.over_pairs(told, figures.last_unseen(told)) == 0.0
    assert figures.over_pairs(told, figures.external_known(told)) == 1.0
    assert np.isnan(figures.over_pairs(told, np.zeros(6, dtype=bool)))


def test_arrivals_are_judged_on_the_sites_so_far(told: Answers) -> None:
    assert figures.over_arrivals(told).tolist() == pytest.approx([1.0, 0.5])


def test_scores_of_a_site(told: Answers) -> None:
    found = figures.scores([told], figures.at("s"))
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.balanced == pytest.approx(0.75)
    assert found.macro_f1 == pytest.approx(2 / 3)
    assert np.isnan(figures.scores([told], figures.at("nowhere")).accuracy)


def test_forgetting_is_what_a_site_loses(told: Answers) -> None:
    both = replace(told, seen=told.known)
    found = figures.learning(both)
    assert found.forgetting == pytest.approx(1 / 3)
    assert found.backward_transfer == pytest.approx(-1 / 3)
    assert figures.before_arrival(both) == 0.0


def test_a_site_that_holds_nothing_back_of_what_it_teaches_is_left_out(told: Answers) -> None:
    found = figures.learning(told)  # nothing of t is seen
    assert found.last == pytest.approx(2 / 3)
    assert found.forgetting == 0.0
    assert np.isnan(figures.before_arrival(told))


def test_calibration_error_by_hand(told: Answers) -> None:
    """Bin of 0.95: a right, a wrong and (of the site) b at 0.5: |0.95 * 2 - 1| / 3 + |0.5 - 1| / 3."""
    chosen = figures.at("s")(told)
    assert figures.calibration_error(told, chosen) == pytest.approx((0.9 + 0.5) / 3)


def test_wrong_and_confident_counts_what_was_not_refused(told: Answers) -> None:
    assert figures.wrong_and_confident(told, told.sites == "s") == pytest.approx(1 / 4)  # the fourth was refused
    assert figures.wrong_and_confident(told, told.sites == "t") == 0.0


def test_refusals_both_ways(told: Answers) -> None:
    assert figures.refused_known(told) == 0.0
    assert figures.refused_unknown(told) == pytest.approx(0.5)  # of two arrivals, at the second
    known, unknown = figures.sureness(told)
    assert (known.size, unknown.tolist()) == (6, [1.0, 0.01])


def test_the_site_that_shares_most(told: Answers) -> None:
    assert figures.kilobytes(told.sent) == 3.0
