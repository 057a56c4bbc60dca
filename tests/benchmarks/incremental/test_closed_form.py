"""The closed form as a contestant: exact in every order, and columns that do not drift where they are isolated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.incremental.cell import Cell, play
from benchmarks.incremental.closed_form import ClosedForm, site_input, statistics_bytes
from benchmarks.incremental.contestant import Start
from benchmarks.incremental.suite import Suite, for_training


def test_the_order_of_arrival_changes_no_answer(suite: Suite, start: Start, tmp_path: Path) -> None:
    one, other = (
        play(Cell("c", "cpu", 3, order, "x"), suite, ClosedForm(replace(start, folder=tmp_path / str(order))))
        for order in (0, 1)
    )
    assert np.array_equal(one.answered[-1], other.answered[-1])
    assert np.abs(one.probability[-1] - other.probability[-1]).max() < 1e-9


def test_isolated_columns_do_not_move(suite: Suite, start: Start) -> None:
    answers = play(Cell("c", "cpu", 3, 0, "x"), suite, ClosedForm(start, form="none", isolated=True))
    shared = play(Cell("c", "cpu", 3, 0, "y"), suite, ClosedForm(start, form="none"))
    assert answers.drift[1] < 1e-12
    assert shared.drift[1] > 1e-6


def test_contributions_add_up_to_the_score(suite: Suite, start: Start) -> None:
    contestant = ClosedForm(start)
    for site in suite.sites:
        contestant.arrive(for_training(site))
    found = contestant.answer(suite.external[0].folds["test"], "outside")
    assert found.contributions is not None
    assert np.allclose(found.contributions.sum(axis=1), found.scores)


def test_frames_of_a_clip_share_an_answer(suite: Suite, start: Start) -> None:
    contestant = ClosedForm(start)
    contestant.arrive(for_training(suite.sites[0]))
    fold = suite.external[0].folds["test"]
    scores = contestant.answer(fold, "outside").scores
    assert np.array_equal(scores[0], scores[1])
    assert fold.local.clips[0] == fold.local.clips[1]


def test_another_form_finds_the_release_ready(suite: Suite, start: Start) -> None:
    first, second = ClosedForm(start), ClosedForm(start, form="scaled")
    assert first.arrive(for_training(suite.sites[0])) == 0.0
    assert second.arrive(for_training(suite.sites[0])) > 0.0
    assert first.sent() == second.sent()


def test_bytes_are_those_of_the_packed_sums(suite: Suite) -> None:
    given = site_input(suite.sites[0], suite.vocabulary)
    features, labels = 6, 2
    block = 8 * (features * (features + 1) // 2 + features * labels + labels)
    assert statistics_bytes(given) == 2 * block
    assert statistics_bytes(given, gram=False) == 2 * 8 * (features * labels + labels)
