"""The contest of reconstruction runs, has every method and claim, and goes on where it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import reconstruction_cells
from benchmarks.reconstruction import measure, whole
from benchmarks.reconstruction_methods import COMPLETION, DISCS, FUSED, LONGER, SHAPES, UNFUSED, Learnt
from benchmarks.reconstruction_settings import PRESETS, QUICK
from federated.errors import ConsiliumError


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("contest") / "reconstruction.json"
    measure(quick=True, preset="cpu", seeds=1, file=file)
    assert file.with_name("reconstruction-views.png").is_file()
    return file


def test_a_quick_run_has_every_method_and_claim(played: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstruction_cells, "learnt", None)  # nothing is played again
    found = measure(quick=True, preset="cpu", seeds=1, file=played)
    walls, ventricle = (
        [row["method"] for row in found.rows if str(row["table"]).startswith(f"{target}, 2 views: 2 hearts of 1")]
        for target in ("walls", "left ventricle")
    )
    assert walls == [FUSED, LONGER, UNFUSED, COMPLETION, SHAPES]
    assert ventricle == [FUSED, UNFUSED, COMPLETION, SHAPES, DISCS]
    assert [row["target"] for row in found.rows if "Fused less" in str(row["table"])] == ["walls", "left ventricle"]
    assert [claim.target for claim in found.claims] == ["≥ 0.88"] * 2 + ["≥ 0"] * 2 + ["≤ 5", "≤ 0", ""]


def test_cells_of_another_setting_are_refused_in_one_line(played: Path) -> None:
    folder = played.with_suffix(".cells")
    other = reconstruction_cells.Contest("cpu", PRESETS["cpu"], folder, 0)
    with pytest.raises(ConsiliumError, match=r"holds cells of another .*learnt.*remove the folder"):
        reconstruction_cells.play_all(other)


def test_a_cell_that_is_missing_is_played_alone(played: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contest = reconstruction_cells.Contest("quick", QUICK, played.with_suffix(".cells"), 0)
    before = reconstruction_cells.play_all(contest)
    asked: list[str] = []

    def noted(method: str, *given: Any) -> Learnt:
        asked.append(method)
        return learnt(method, *given)

    learnt = reconstruction_cells.learnt
    monkeypatch.setattr(reconstruction_cells, "learnt", noted)
    (contest.folder / "cells" / "walls" / f"{SHAPES}-2-1.json").unlink()
    after = reconstruction_cells.play_all(contest)
    assert asked == [SHAPES]
    assert [cell.scores for cell in after] == [cell.scores for cell in before]


def test_an_unknown_preset_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match=r"there is no preset 'huge'.*cpu, paper"):
        whole("huge", 1, tmp_path / "x.json")


def test_a_small_preset_does_not_compare_where_it_would_take_too_long() -> None:
    small = {(target, method, views) for _, target, method, views in reconstruction_cells.jobs(PRESETS["cpu"])}
    assert {("walls", UNFUSED, 9), ("walls", FUSED, 9), ("left ventricle", DISCS, 2)} <= small
    assert {views for _, method, views in small if method == LONGER} == {2}
    assert not {("left ventricle", UNFUSED, 2), ("left ventricle", FUSED, 9)} & small
    whole_contest = reconstruction_cells.jobs(PRESETS["paper"])
    assert len(set(whole_contest)) == len(whole_contest) == 3 * 5 * (4 + 5)
