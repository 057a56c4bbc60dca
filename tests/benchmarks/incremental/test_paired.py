"""Paired intervals: the same patients for both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.incremental.answers import Answers
from benchmarks.incremental.cell import Cell, play
from benchmarks.incremental.contestant import Start
from benchmarks.incremental.figures import last_known, over_pairs
from benchmarks.incremental.frequent import MostFrequent
from benchmarks.incremental.linear_rules import RULES
from benchmarks.incremental.paired import DRAWS, difference, draw, sample
from benchmarks.incremental.suite import Suite


@pytest.fixture
def two(suite: Suite, start: Start) -> tuple[list[Answers], list[Answers]]:
    """A rule that learns and one that does not, with two seeds that are the same."""
    learnt = play(Cell("c", "cpu", 3, 0, "l"), suite, RULES["joint ridge (AFL)"](start))
    blind = play(Cell("c", "cpu", 3, 0, "b"), suite, MostFrequent(start))
    return [learnt] * 2, [blind] * 2


def test_patients_are_drawn_within_their_sites(two: tuple[list[Answers], list[Answers]]) -> None:
    drawn = draw(two[0], last_known)
    internal = two[0][0].sites[last_known(two[0][0])]
    assert (drawn.times.sum(axis=1) == np.unique(drawn.patient).size).all()
    assert drawn.patient.size == 2 * internal.size  # both seeds, whose patients are the same
    assert drawn.times.shape == (DRAWS, internal.size)


def test_a_difference_from_oneself_is_nothing(two: tuple[list[Answers], list[Answers]]) -> None:
    drawn = draw(two[0], last_known)
    one = sample(two[0], drawn, last_known)
    nothing = difference(one, one)
    assert nothing.value == 0.0
    assert nothing.by_patient == (0.0, 0.0)
    assert not nothing.told_apart


def test_learning_is_told_from_not_learning(two: tuple[list[Answers], list[Answers]]) -> None:
    drawn = draw(two[0], last_known)
    learnt, blind = (sample(played, drawn, last_known) for played in two)
    found = difference(learnt, blind)
    assert learnt.value == pytest.approx(over_pairs(two[0][0], last_known(two[0][0])))
    assert found.by_patient[0] > 0
    assert found.told_apart  # two equal seeds have no spread
    low, high = learnt.interval()
    assert low <= learnt.value <= high


def test_one_seed_tells_nothing_apart(two: tuple[list[Answers], list[Answers]]) -> None:
    drawn = draw(two[0][:1], last_known)
    learnt, blind = (sample(played[:1], drawn, last_known) for played in two)
    assert not difference(learnt, blind).told_apart


def test_no_clips_are_no_figure(two: tuple[list[Answers], list[Answers]]) -> None:
    nobody = [replace(one, known=np.zeros_like(one.known)) for one in two[0]]
    assert np.isnan(sample(nobody, draw(nobody, last_known), last_known).value)
