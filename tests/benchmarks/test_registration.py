"""The contest in small: it is played, goes on from its cells, and refuses those of another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from benchmarks import registration_cells, registration_problems, registration_starts
from benchmarks.registration import QUICK, QUICK_METHODS, measure, small, whole
from benchmarks.registration_cells import play_all
from benchmarks.registration_classical import identity
from benchmarks.registration_peers import AFFINE, CLASSICAL, DEMONS, IDENTITY, NETWORKS
from benchmarks.registration_problems import PHANTOM
from federated.errors import ConsiliumError


@pytest.fixture(autouse=True)
def _no_alignment(monkeypatch) -> None:
    monkeypatch.setattr(registration_starts, "affine", lambda _, fixed: identity(fixed.ndim))
    registration_problems.problem.cache_clear()


def test_a_small_contest_is_played_once(tmp_path, monkeypatch) -> None:
    found = measure(quick=True, seeds=1, file=tmp_path / "x.json")
    asked = [row["method"] for row in found.rows if str(row["table"]).startswith(f"{PHANTOM}: 2 ")]
    assert asked == [IDENTITY, AFFINE, *QUICK_METHODS]
    assert any("diffeomorphic" in claim.claim for claim in found.claims)
    with Image.open(tmp_path / "x-phantom-pair.png") as picture:
        assert picture.format == "PNG"
    monkeypatch.setattr(registration_cells, "ready", None)  # nothing is learnt again
    assert measure(quick=True, seeds=1, file=tmp_path / "x.json") == found
    cell = next((tmp_path / "x.cells" / "cells" / PHANTOM).glob("Fourier-Net-0.json"))
    cell.unlink()
    with pytest.raises(TypeError):  # but what is missing is
        measure(quick=True, seeds=1, file=tmp_path / "x.json")


def test_a_cell_that_was_stopped_goes_on_from_its_pairs(tmp_path, monkeypatch) -> None:
    contest = replace(small(tmp_path / "x.json"), methods=(DEMONS,))
    field, asked = CLASSICAL[DEMONS].field, []

    def stopped(moving, fixed, **settings):
        asked.append(1)
        if len(asked) == 3:  # one pair that settings are chosen on, one that is asked, and then
            raise KeyboardInterrupt
        return field(moving, fixed, **settings)

    monkeypatch.setitem(CLASSICAL, DEMONS, replace(CLASSICAL[DEMONS], field=stopped))
    with pytest.raises(KeyboardInterrupt):
        play_all(contest)
    assert len(list((contest.folder / "begun").rglob("*.json"))) == 1
    found = play_all(contest)
    assert len(asked) == 4  # the pair that was stopped alone
    assert [len(cell.scores[PHANTOM]) for cell in found if cell.method == DEMONS] == [2]
    assert not list((contest.folder / "begun").rglob("*.json"))


def test_cells_of_another_contest_are_refused(tmp_path) -> None:
    contest = replace(small(tmp_path / "x.json"), problems=())
    assert play_all(contest) == []
    with pytest.raises(ConsiliumError, match="cells of another steps"):
        play_all(replace(contest, setting=replace(QUICK, steps=3)))


def test_the_whole_contest_has_everyone_in_it(tmp_path) -> None:
    assert set(whole(2, tmp_path / "x.json").methods) == {*CLASSICAL, *NETWORKS}
