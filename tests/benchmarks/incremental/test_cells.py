"""A contest goes on where it was stopped, and mixes no cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.incremental import cells
from benchmarks.incremental.cells import Contest, play_all, play_removals
from benchmarks.incremental.contestant import Fold
from benchmarks.incremental.frequent import MostFrequent
from benchmarks.incremental.removal import REMOVED
from benchmarks.incremental.suite import Preset
from federated.errors import ConsiliumError
from tests.benchmarks.incremental.conftest import clouds

NAMES = ("closed form", "most frequent label of the site")


@pytest.fixture
def contest(preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contest:
    monkeypatch.setattr(cells, "SUITES", {"clouds": clouds})
    return Contest("clouds", "cpu", preset, (3, 4), NAMES, NAMES[1:], "abc", tmp_path / "x.cells")


def test_further_orders_are_played_on_the_first_seed_by_some(contest: Contest) -> None:
    found = [(cell.seed, cell.order, cell.contestant) for cell in contest.cells(2)]
    assert found == [(3, 0, NAMES[0]), (3, 0, NAMES[1]), (3, 1, NAMES[1]), (4, 0, NAMES[0]), (4, 0, NAMES[1])]


def test_a_stopped_contest_goes_on(contest: Contest, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answer = MostFrequent.answer

    def stopping(self: MostFrequent, fold: Fold, site: str) -> object:
        asked.append(site)
        if len(asked) == 8:  # in the second cell of this rule
            raise KeyboardInterrupt
        return answer(self, fold, site)

    monkeypatch.setattr(MostFrequent, "answer", stopping)
    with pytest.raises(KeyboardInterrupt):
        play_all(contest)
    written = {path.name: path.stat().st_mtime_ns for path in (contest.folder / "cells").iterdir()}
    assert len(written) == 2
    played = play_all(contest)
    assert len(played) == 5
    after = {path.name: path.stat().st_mtime_ns for path in (contest.folder / "cells").iterdir()}
    assert written.items() <= after.items()
    again = play_all(contest)
    assert all(np.array_equal(one.answered, other.answered) for one, other in zip(played, again, strict=True))


@pytest.mark.parametrize(
    ("change", "told"),
    [({"code": "def"}, "code abc, not def"), ({"name": "paper"}, "preset cpu, not paper")],
)
def test_cells_of_another_contest_are_refused_in_one_line(
    contest: Contest, change: Mapping[str, str], told: str
) -> None:
    cells.claim_folder(contest)
    cells.claim_folder(contest)
    with pytest.raises(ConsiliumError, match=told) as refused:
        cells.claim_folder(replace(contest, **change))  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_sites_are_left_out_once(contest: Contest) -> None:
    play_all(contest)
    found = play_removals(contest)
    assert tuple(found) == REMOVED
    assert len(list((contest.folder / "removals").iterdir())) == len(REMOVED)
    assert found[REMOVED[0]].order.tolist() == ["first", "second"]
