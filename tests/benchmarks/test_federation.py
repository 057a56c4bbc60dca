"""The simulated federation is what it says, and the same every time."""

from __future__ import annotations

import pytest

from benchmarks.federation import LABELS_A_SITE, SITES, fastest, order, seconds, simulate


def test_the_simulated_sites_share_some_labels_and_carry_a_constant() -> None:
    sites = simulate(40, 16)
    assert len(sites) == SITES
    assert all(len(set(site.labels.tolist())) <= LABELS_A_SITE for site in sites)
    assert all((site.features[:, -1] == 1.0).all() for site in sites)
    assert set(sites[0].statistics().labels) < set(order())
    assert sites[0].statistics().weights.sum() == pytest.approx(40)


def test_the_same_seed_gives_the_same_sites() -> None:
    first, second = simulate(5, 4)[3], simulate(5, 4)[3]
    assert (first.features == second.features).all()
    assert (first.labels == second.labels).all()


def test_the_fastest_run_of_each_counts_and_they_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 5.0, 5.0, 6.0, 6.0, 8.0, 8.0, 11.0])
    monkeypatch.setattr("benchmarks.federation.time.perf_counter", lambda: next(ticks))
    turns: list[str] = []
    assert fastest([lambda: turns.append("a"), lambda: turns.append("b")], 2) == [2.0, 1.0]
    assert turns == ["a", "b", "a", "b"]


def test_seconds_is_that_of_one() -> None:
    assert 0 <= seconds(lambda: None, 3) < 1
