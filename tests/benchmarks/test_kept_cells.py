from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchmarks.kept_cells import claim, kept, side_by_side, whose
from federated.errors import ConsiliumError


def test_what_is_kept_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> list[int]:
        made.append(len(made))
        return made

    path = tmp_path / "cells" / "one.json"
    assert [kept(path, make), kept(path, make)] == [[0], [0]]
    assert made == [0]


def test_cells_of_another_contest_are_refused(tmp_path: Path) -> None:
    claim(tmp_path, {"code": "a", "sizes": (1, 2)})
    claim(tmp_path, {"code": "a", "sizes": (1, 2)})
    with pytest.raises(ConsiliumError, match=r"holds cells of another sizes; another --json FILE"):
        claim(tmp_path, {"code": "a", "sizes": (1, 3)})


@dataclass(frozen=True)
class Setting:
    steps: int
    seeds: tuple[int, ...]


def test_a_contest_of_more_seeds_goes_on_from_the_cells_of_fewer(tmp_path: Path) -> None:
    setting = Setting(5, (1,))
    claim(tmp_path, whose("a", setting))
    claim(tmp_path, whose("a", replace(setting, seeds=(1, 2, 3))))
    with pytest.raises(ConsiliumError, match="another steps"):
        claim(tmp_path, whose("a", replace(setting, steps=6)))


@pytest.mark.parametrize("processes", [1, 2])
def test_however_many_play_the_order_is_that_of_the_cells(processes: int) -> None:
    with side_by_side(processes) as run:
        assert list(run(abs, [-3, 2, -1])) == [3, 2, 1]
