"""The whole comparison on a handful of patients, and who is tested when."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import retrieval
from benchmarks.retrieval_data import IMAGE, Cohort, cohort
from benchmarks.retrieval_federation import TOGETHER, alone, together
from benchmarks.retrieval_measures import Hit
from benchmarks.retrieval_methods import (
    CORRELATION_NAME,
    OURS_NAME,
    PUBLISHED_NAME,
    SUPERVISED_NAME,
    Budget,
    Split,
    correlation,
    held_windows,
    neighbours,
    threshold_of,
    visits,
)
from benchmarks.retrieval_section import areas, segmenter
from shared_models.retrieval_pairs import Pairs

TINY = Budget(ours=1, samples=6, published=1, head=1, supervised=1, pairs=8)


@pytest.fixture(scope="module")
def everyone() -> Cohort:
    return cohort(9, 40)


@pytest.fixture(scope="module")
def split(everyone: Cohort) -> Split:
    return retrieval.split_of(everyone, 0)


def _cohort_of(patients: int) -> Cohort:
    class Many:
        def __init__(self) -> None:
            self.patients = np.arange(patients)

    return Many()  # type: ignore[return-value]


def test_every_patient_is_tested_once_and_is_of_one_fold() -> None:
    tested = []
    for fold in range(retrieval.FOLDS):
        one = retrieval.split_of(_cohort_of(60), fold)
        parts = [set(part.tolist()) for part in (one.train, one.validation, one.test)]
        assert len(parts[1]) == 6
        assert len(set.union(*parts)) == sum(map(len, parts)) == 60
        assert {patient % 3 for patient in parts[2]} == {0, 1, 2}
        tested += one.test.tolist()
    assert sorted(tested) == list(range(60))


def test_pairs_of_ours_are_neighbours_and_visits_of_a_leg(split: Split) -> None:
    near, sweeps = neighbours(split.cohort, split.train)
    apart, of_both = visits(split, split.train)
    assert near.shape[1:] == apart.shape[1:] == (2, IMAGE, IMAGE)
    assert len(near) == len(sweeps)
    assert set(of_both.ravel()) == set(sweeps)
    assert {split.cohort.sweeps[number - 1].patient for number in sweeps} == set(split.train)
    assert len(apart) == len(set(sweeps)), "three visits, two and two"
    for one, other in of_both - 1:
        first, second = split.cohort.sweeps[one], split.cohort.sweeps[other]
        assert (first.patient, first.right) == (second.patient, second.right)
        assert first.visit != second.visit


def test_published_windows_are_of_frozen_pictures(split: Split) -> None:
    for one, other in held_windows(split, split.train).astype(int):
        assert np.abs(one - other).mean() < 1


def test_the_threshold_of_the_best_f1() -> None:
    said, same = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9]), np.array([0, 0, 0, 1, 1, 1], dtype=np.bool_)
    assert 0.3 <= threshold_of(said, Pairs(np.arange(6), np.arange(6), same)) < 0.7


def test_correlation_finds_a_clip_itself(split: Split) -> None:
    rows = np.arange(5)
    assert correlation(split).scores(rows, rows) == pytest.approx(1, abs=1e-5)


def test_hospitals_learn_alone_and_together(split: Split) -> None:
    ways = {**alone(split, TINY), TOGETHER: together(split, TINY)}
    assert list(ways) == ["north alone", "middle alone", "south alone", TOGETHER]
    said = [way.scores(np.arange(20), np.arange(20, 40)) for way in ways.values()]
    assert all(((each >= 0) & (each <= 1)).all() for each in said)
    assert not any(np.array_equal(said[-1], each) for each in said[:-1])


def test_the_section_is_segmented_where_it_was_retrieved(split: Split) -> None:
    network = segmenter(split.cohort, split.train[:2], epochs=1, seed=0)
    hits = [Hit(0, 1, 5, 27, 0.0), Hit(0, 1, 5, 27, 0.0), Hit(0, 2, 7, 27, 0.0)]
    found = areas(split.cohort, network, hits)
    assert set(found) == {(1, 5), (1, 27), (2, 7), (2, 27)}
    assert all(0 <= area <= 64 * 64 for area in found.values())


def test_what_is_told(everyone: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "cohort", lambda _patients, _frames: everyone)
    monkeypatch.setattr(retrieval, "QUICK", TINY)
    measured = retrieval.measure(quick=True)
    methods = {row["method"] for row in measured.rows}
    assert {PUBLISHED_NAME, OURS_NAME, SUPERVISED_NAME, CORRELATION_NAME, TOGETHER, "north alone"} <= methods
    titles = list(dict.fromkeys(row["table"] for row in measured.rows))
    assert len(titles) == 4
    searches = [row["searches"] for row in measured.rows if row["table"] == titles[1]]
    assert searches == [3 * 2 * 2] * 5
    assert len(measured.claims) == 8
