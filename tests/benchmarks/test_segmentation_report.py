"""Means are over structures of means over patients, differences are paired, and every table has its rows."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.segmentation_data import EXTERNAL, SITES, Picture
from benchmarks.segmentation_report import (
    DICE,
    ELSEWHERE,
    FEDAVG,
    FEDPROX,
    HOME,
    JOINT,
    UNIFORM,
    WEIGHTED,
    Contest,
    Sample,
    claims,
    ejection_sample,
    fit_sample,
    tables,
)

NAMES = (HOME, ELSEWHERE, UNIFORM, WEIGHTED, FEDAVG, FEDPROX, JOINT)


def _picture(site: str, seed: int) -> Picture:
    nothing = np.zeros((2, 2), dtype=np.uint8)
    return Picture(site, f"{site}-{seed}-000", "A4C", "ED", nothing, nothing, 1.0, 100.0)


@pytest.fixture
def contest() -> Contest:
    shown = [_picture(site, seed) for seed in (1, 2) for site in (*SITES, *EXTERNAL)]
    fits = {name: np.full((10, 2, 5, 3), 0.1 * place) for place, name in enumerate(NAMES)}
    fits[HOME][[row for row, one in enumerate(shown) if one.site in EXTERNAL]] = np.nan
    patients = [one.patient for one in shown]
    return Contest(
        shown=shown,
        fits=fits,
        ejection={
            name: {
                patient: np.array([60.0, np.nan])
                for patient in patients
                if name != HOME or patient.partition("-")[0] in SITES
            }
            for name in NAMES
        },
        truth=dict.fromkeys(patients, 50.0),
        drawn=dict.fromkeys(patients, 55.0),
        shares=np.full((10, 5, 3), 1 / 3),
        foreign=np.zeros((10, 3)),
        weightings={"uniform": fits[UNIFORM]},
    )


def test_a_mean_counts_every_patient_once_and_every_structure_once() -> None:
    values = np.array([[1.0, 10.0], [3.0, np.nan]])
    sample = Sample(values, np.array(["1", "2"]), np.array(["a", "b"]))
    assert sample.mean == pytest.approx((2 + 10) / 2)
    assert sample.by_seed().tolist() == [5.5, 3.0]
    assert sample.interval() == pytest.approx((6, 6))  # one patient a site is always drawn
    assert sample.less(sample).mean == 0
    empty = Sample(np.full((2, 1), np.nan), np.array(["1", "1"]), np.array(["a", "a"]))
    assert np.isnan(empty.interval()).all()


def test_the_interval_is_of_patients_drawn_again() -> None:
    values = np.arange(10.0)[:, None]
    low, high = Sample(values, np.full(10, "1"), np.full(10, "a")).interval()
    assert 2 < low < 4.5 < high < 7


def test_samples_are_of_a_group(contest: Contest) -> None:
    assert fit_sample(contest, WEIGHTED, EXTERNAL, DICE).mean == pytest.approx(30)
    assert len(fit_sample(contest, WEIGHTED, SITES, DICE).values) == 6
    error = ejection_sample(contest, FEDAVG, SITES, contest.truth, signed=True)
    assert (len(error.values), error.mean) == (6, 10.0)


def test_every_table_has_its_rows(contest: Contest) -> None:
    rows = tables(contest)
    by_table: dict[str, int] = {}
    for row in rows:
        by_table[str(row["table"])] = by_table.get(str(row["table"]), 0) + 1
    assert [count for name, count in by_table.items() if name.endswith("hospitals that learn")] == [7] * 4
    assert [count for name, count in by_table.items() if name.endswith("external hospitals")] == [6] * 4
    assert list(by_table.values())[-3:] == [1, 5, 11]


def test_claims_are_differences(contest: Contest) -> None:
    found = {claim.claim: claim.value for claim in claims(contest)}
    assert found[f"Dice, {WEIGHTED} less {UNIFORM}: external hospitals"] == pytest.approx(10)
    assert found[f"ejection fraction, mean absolute error of {WEIGHTED}: hospitals that learn"] == pytest.approx(10)
