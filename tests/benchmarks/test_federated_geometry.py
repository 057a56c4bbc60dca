"""The contest of geometry at several hospitals runs, averages as Flower does, fuses as a site does, and goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import federated_geometry
from benchmarks.federated_geometry import PARTS, QUICK, Contest, measure, play_all
from benchmarks.federated_geometry_data import CALIBRATION, SITES, TEST, TRAIN, Counts
from benchmarks.federated_geometry_methods import (
    RECONSTRUCTION,
    REGISTRATION,
    TASKS,
    Lesson,
    Setting,
    found,
    mean_of,
    with_reference,
)
from benchmarks.federated_geometry_report import (
    ALONE,
    AVERAGED_NORMS,
    EQUAL,
    FEDAVG,
    FUSED,
    JOINT,
    RE_ESTIMATED,
    UNMOVED,
    Cell,
    Scores,
    claims,
    tables,
    together,
)
from federated.errors import ConsiliumError
from shared_models.averaged_networks import State
from shared_models.batch_norm_rounds import is_statistic
from shared_models.reconstruction.volume_metrics import THRESHOLDS


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("contest") / "federated_geometry.json"
    measure(quick=True, seeds=1, file=file)
    return file


def test_a_quick_run_has_every_method_and_claim_and_is_played_once(
    played: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(federated_geometry, "_played", None)
    said = measure(quick=True, seeds=1, file=played)
    alone = [f"{site} alone" for site in SITES]
    rows = {task: [row for row in said.rows if str(row["table"]).startswith(f"{task}, 6 cases")] for task in TASKS}
    assert [row["method"] for row in rows[REGISTRATION]] == [UNMOVED, *alone, ALONE, EQUAL, FUSED, FEDAVG, JOINT]
    averages = [RE_ESTIMATED, AVERAGED_NORMS]
    assert [row["method"] for row in rows[RECONSTRUCTION]] == [*alone, ALONE, EQUAL, FUSED, *averages, JOINT]
    assert [claim.target for claim in said.claims] == ["≥ 0"] * 2 + [""] * 2 + ["≥ 0"] * 3 + [""] * 3
    assert "see 4 pairs of frames or 2 hearts" in said.notes[0]
    next((played.with_suffix(".cells") / "cells" / REGISTRATION).glob("joint-1.json")).unlink()
    with pytest.raises(TypeError):  # but what is missing is played
        measure(quick=True, seeds=1, file=played)


def test_cells_of_another_setting_are_refused_in_one_line(played: Path) -> None:
    other = Contest(replace(QUICK, local=2), played.with_suffix(".cells"))
    with pytest.raises(ConsiliumError, match=r"holds cells of another local.*remove the folder"):
        play_all(other)


def test_nobody_is_in_two_folds_and_a_hospital_has_its_own_machine() -> None:
    lesson = Lesson(REGISTRATION, QUICK, 1)
    patients = [{case.patient for case in lesson.cases("beryl", fold)} for fold in (TRAIN, CALIBRATION, TEST)]
    assert len(set.union(*patients)) == sum(map(len, patients)) == 3
    assert {case.machine for case in lesson.cases("beryl", TRAIN)} == {"eider"}
    assert {case.machine for case in lesson.cases("agate", TRAIN)} == {"albatross"}
    folds = Counts(2, 3, 4).folds()
    assert [list(folds[fold]) for fold in (TRAIN, CALIBRATION, TEST)] == [[0, 1], [2, 3, 4], [5, 6, 7, 8]]


def test_the_mean_is_weighted_by_what_hospitals_learn_from() -> None:
    lesson = Lesson(RECONSTRUCTION, QUICK, 1)
    before: State = {"w": np.zeros(2, np.float32), "n": np.zeros((), np.int64)}
    updates: list[State] = [{"w": np.full(2, value, np.float32), "n": np.array(value)} for value in (1, 4)]
    after = mean_of(lesson, 1, before, updates, [1, 3])
    np.testing.assert_allclose(after["w"], 3.25, rtol=1e-6)
    assert after["n"].dtype == np.int64
    assert after["n"] == 3


def test_training_reads_no_running_statistics_so_that_both_ways_share_their_rounds() -> None:
    lesson = Lesson(RECONSTRUCTION, QUICK, 1)
    begun = lesson.begun()
    strange = {name: tensor + 1 if is_statistic(name) else tensor for name, tensor in begun.items()}
    one, other = (lesson.taught("agate", state, 1) for state in (begun, strange))
    learnt = [name for name in begun if not is_statistic(name)]
    assert len(learnt) < len(begun)
    assert all(np.array_equal(one[name], other[name]) for name in learnt)
    assert any(not np.array_equal(one[name], begun[name]) for name in learnt)


def test_a_reference_is_put_in_and_changes_no_weight_and_without_one_experts_count_alike() -> None:
    lesson = Lesson(RECONSTRUCTION, QUICK, 1)
    sites, cases = SITES[:2], lesson.cases("agate", TEST)[:1]
    plain = dict(zip(sites, (lesson.begun(), lesson.taught("agate", lesson.begun(), 1)), strict=True))
    known = with_reference(lesson, sites[0], plain[sites[0]])
    assert (plain[sites[0]]["reference_counts"].sum(), known["reference_counts"].sum()) == (0, 1)
    assert all(np.array_equal(plain[sites[0]][name], known[name]) for name in known if "reference" not in name)
    assert found(lesson, plain, cases) == found(lesson, dict(reversed(plain.items())), cases)
    assert len(found(lesson, {**plain, sites[0]: known}, cases)[0]) == len(THRESHOLDS)


def _cells(better: float) -> list[Cell]:
    """Alone 50 everywhere, averaged, fused and pooled by so much more, in four patients of each hospital."""

    def scores(task: str, value: float) -> list[Scores]:
        values = [value, 1.0, 0.0] if task == REGISTRATION else [value / 100] * 8
        return [Scores(site, f"{site}-1-{number:03d}", values) for site in SITES for number in range(4)]

    found = []
    for task in TASKS:
        alone = {f"{site} alone": scores(task, 50.0) for site in SITES}
        experts = alone | {EQUAL: scores(task, 50.0), FUSED: scores(task, 50.0 + better)}
        rounds = {FEDAVG: scores(task, 50.0 + better)}
        if task == REGISTRATION:
            experts[UNMOVED] = scores(task, 0.0)
        else:
            rounds[RE_ESTIMATED] = scores(task, 50.0 + better)
        joint = {JOINT: scores(task, 60.0)}
        for part, each in zip(PARTS, (experts, joint, rounds), strict=True):
            found.append(Cell(task, part, 1, 5 if part == "rounds" else 0, 2**20, 1.0, each))
    return found


@pytest.mark.parametrize(("better", "holds"), [(2.0, True), (-2.0, False)])
def test_claims_hold_where_intervals_reach_nought(better: float, holds: bool) -> None:
    said = claims(_cells(better))
    assert {claim.holds for claim in said if claim.target} == {holds}
    gaps = [claim.value for claim in said if not claim.target]
    assert gaps == pytest.approx([better - 10] * 2 + [(better - 10) / 100] * 3)


def test_bytes_are_counted_both_ways_with_the_last_average() -> None:
    rows = [row for row in tables(_cells(0.0)) if str(row["table"]).startswith("What travels")]
    averaged, experts = rows[0], rows[1]
    assert (averaged["a site sends in a round"], averaged["all sites in a round"], averaged["in total"]) == (1, 6, 33)
    assert (experts["a site is sent in a round"], experts["in total"]) == (2, 9)


def test_intervals_draw_patients_and_not_their_cases() -> None:
    scores = [Scores("agate", f"agate-1-{row // 2:03d}", [float(row // 2), 0.0, 0.0]) for row in range(8)]
    methods = [*(f"{site} alone" for site in SITES), UNMOVED, EQUAL, FUSED, FEDAVG, JOINT]
    cell = Cell(REGISTRATION, "experts", 1, 0, 1, 1.0, dict.fromkeys(methods, scores))
    low, high = together(REGISTRATION, [cell]).interval(np.repeat(np.arange(4.0), 2))
    assert [low, high] == pytest.approx([0.25, 2.75], abs=0.26)
    assert together(REGISTRATION, [cell]).interval(np.ones(8)) == (1.0, 1.0)


def test_the_budget_is_the_same_for_the_pooled_network() -> None:
    setting = Setting()
    assert all(setting.rounds[task] * setting.local % len(SITES) == 0 for task in TASKS)
