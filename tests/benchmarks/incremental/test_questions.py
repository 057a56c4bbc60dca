"""Means over seeds, and deviations over orders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.incremental.cell import Cell, play
from benchmarks.incremental.contestant import Start
from benchmarks.incremental.frequent import MostFrequent
from benchmarks.incremental.questions import deviations, mean_over, usual
from benchmarks.incremental.suite import Suite


def test_orders_of_the_first_seed_only(suite: Suite, start: Start) -> None:
    one, two = (play(Cell("c", "cpu", 3, order, "x"), suite, MostFrequent(start)) for order in (0, 1))
    wrong = replace(two, right=np.zeros_like(two.right))
    other = replace(one, about={**one.about, "seed": 4})
    assert deviations([one, two, other]) == {"x": 0.0}
    assert deviations([one, wrong])["x"] > 0.1
    assert np.isnan(deviations([one])["x"])
    assert [cell.about["order"] for cell in usual([one, two, other])["x"]] == [0, 0]


def test_seeds_without_a_figure_are_left_out(suite: Suite, start: Start) -> None:
    one = play(Cell("c", "cpu", 3, 0, "x"), suite, MostFrequent(start))
    values = iter([1.0, float("nan"), 2.0])
    assert mean_over([one] * 3, lambda _: next(values)) == 1.5
    assert np.isnan(mean_over([one], lambda _: float("nan")))
