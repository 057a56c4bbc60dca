"""Who is learnt from is never asked about, and what is known of warps is true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import registration_problems, registration_starts
from benchmarks.registration import QUICK
from benchmarks.registration_classical import identity
from benchmarks.registration_problems import BRAIN, HIPPOCAMPUS, LIMITED, PHANTOM, UNLIMITED, Setting, problem
from benchmarks.registration_scores import dice, folded_percent, moved, moved_labels


@pytest.fixture(autouse=True)
def _no_alignment(monkeypatch) -> None:
    monkeypatch.setattr(registration_starts, "affine", lambda _, fixed: identity(fixed.ndim))
    registration_problems.problem.cache_clear()


def known(pair):
    """All of a pair that may be there."""
    assert pair.displacement is not None
    assert pair.moving_labels is not None
    assert pair.fixed_labels is not None
    return pair.displacement, pair.moving_labels, pair.fixed_labels


def patients(pairs):
    return {name for one in pairs for name in one.patients}


def apart(given):
    groups = [patients(given.learnt), patients(given.checked), *map(patients, given.asked.values())]
    return all(not groups[one] & group for one in (0, 1) for place, group in enumerate(groups) if place != one)


def test_hippocampi(shared_data, tmp_path) -> None:
    given = problem(HIPPOCAMPUS, QUICK, tmp_path)
    assert apart(given)
    assert [len(given.learnt), len(given.checked)] == [2, 2]
    assert {name: len(pairs) for name, pairs in given.asked.items()} == {HIPPOCAMPUS: 2, LIMITED: 4, UNLIMITED: 4}
    for name in (LIMITED, UNLIMITED):
        one = given.asked[name][0].pair
        field, moving, fixed = known(one)
        assert folded_percent(field) == 0
        assert np.abs(field).max() > 1
        assert np.abs(moved(one.moving, field) - one.fixed).mean() < 0.05
        assert dice(moved_labels(moving, field, given.labels), fixed, given.labels).min() > 0.99


def test_hearts(tmp_path) -> None:
    given = problem(PHANTOM, QUICK, tmp_path)
    assert apart(given)
    assert [len(given.learnt), len(given.checked), len(given.asked[PHANTOM])] == [2, 1, 2]
    field, moving, fixed = known(given.asked[PHANTOM][0].pair)
    true, still = (
        dice(moved_labels(moving, each, given.labels), fixed, given.labels).mean()
        for each in (field, np.zeros_like(field))
    )
    assert true > 0.85
    assert true > still + 0.1


def test_slices_of_brains_teach_nothing(shared_data, tmp_path) -> None:
    given = problem(BRAIN, replace(QUICK, images=3), tmp_path)
    assert not given.learnt
    assert len(given.asked[BRAIN]) == 6


def test_the_whole_contest_has_several_seeds() -> None:
    assert len(Setting().seeds) > 1
