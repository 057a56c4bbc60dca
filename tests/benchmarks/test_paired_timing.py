"""Ratios of times are taken within rounds, and rounds go forwards and backwards."""

from __future__ import annotations

from benchmarks.paired_timing import in_turns, rate, ratio


def test_a_machine_that_slows_down_changes_no_ratio() -> None:
    mine, theirs = [1.0, 2.0, 4.0, 8.0], [3.0, 6.0, 12.0, 24.0]
    found = ratio(mine, theirs)
    assert (found.median, found.least, found.most) == (3.0, 3.0, 3.0)


def test_the_spread_is_told() -> None:
    found = ratio([1.0, 1.0, 1.0], [2.0, 0.5, 3.0])
    assert (found.median, found.least, found.most) == (2.0, 0.5, 3.0)


def test_everything_is_run_once_more_than_it_is_timed_and_the_order_turns() -> None:
    order: list[str] = []
    taken = in_turns({name: lambda name=name: order.append(name) for name in "ab"}, 2)  # type: ignore[misc]
    assert order == ["a", "b", "a", "b", "b", "a"]
    assert [len(seconds) for seconds in taken.values()] == [2, 2]


def test_a_rate_is_that_of_the_median_round() -> None:
    assert rate([1.0, 2.0, 10.0], 8) == 4.0
