"""One seed is played from patients to tables, and seeds are joined."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.segmentation import play, together
from benchmarks.segmentation_data import EXTERNAL, SITES, Patients
from benchmarks.segmentation_methods import Setting
from benchmarks.segmentation_report import ELSEWHERE, HOME, JOINT, WEIGHTED, Contest, claims, tables

TINY = Setting(side=32, width=2, levels=2, alone=1, joint=1, rounds=1, local=1, patients=Patients(1, 2, 1))


@pytest.fixture(scope="module")
def played() -> Contest:
    return play(5, TINY)


def test_a_seed_is_played_from_patients_to_tables(played: Contest) -> None:
    assert {one.site for one in played.shown} == {*SITES, *EXTERNAL}
    assert {one.patient for one in played.shown} == set(played.truth) == set(played.drawn)
    count = len(played.shown)
    assert {name: fits.shape for name, fits in played.fits.items()} == dict.fromkeys(played.fits, (count, 2, 5, 3))
    external = [row for row, one in enumerate(played.shown) if one.site in EXTERNAL]
    assert np.isnan(played.fits[HOME][external]).all()
    assert not np.isnan(played.fits[ELSEWHERE][external][:, :, 0, 0]).any()
    assert len(next(iter(played.ejection[ELSEWHERE].values()))) == 2
    assert np.nansum(played.shares[:, 0], axis=1) == pytest.approx(1)
    assert not np.nan_to_num(played.shares[:, 2, 1]).any()  # beryl labels no atrium
    assert tables(played)
    assert claims(played)


def test_seeds_are_joined(played: Contest) -> None:
    both = together([played, played])
    assert len(both.shown) == len(both.fits[WEIGHTED]) == len(both.shares) == 2 * len(played.shown)
    assert both.ejection[JOINT].keys() == played.ejection[JOINT].keys()
