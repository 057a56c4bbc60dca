"""Four hospitals' rows: what is missing, what is coarse, and what becomes a feature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.incremental import heart_table
from benchmarks.incremental.heart_table import COLUMNS, FEATURES, GRADES, features_of, grades, medians
from benchmarks.incremental.suites import QUICK
from federated.errors import ConsiliumError
from federated.hierarchy import target


def test_a_grade_is_a_disease_and_a_disease_says_nothing_of_grades() -> None:
    vocabulary = grades()
    assert all(target(vocabulary, grade, "present") == 1 for grade in GRADES)
    assert all(target(vocabulary, "present", grade) is None for grade in GRADES)
    assert target(vocabulary, "absent", "present") == 0


def test_medians_are_values_that_occur() -> None:
    values = np.array([[1.0, np.nan], [4.0, np.nan], [3.0, np.nan], [np.nan, np.nan], [9.0, np.nan]])
    assert medians(values)[0] == 3.0
    assert np.isnan(medians(values)[1])
    assert medians(np.array([[3.0], [7.0]])).tolist() == [3.0]  # not 5, which would be no kind


def test_what_is_missing_gets_the_median_and_says_so() -> None:
    values = np.full((2, len(COLUMNS)), np.nan)
    values[0] = [55, 1, 130, 240, 0, 140, 0, 1, 1, 4, 2, 3, 7]
    middles = values[0]
    known, missing = features_of(values, middles)
    assert known.shape == (FEATURES,)
    assert np.array_equal(known[: -len(COLUMNS) - 1], missing[: -len(COLUMNS) - 1])
    assert known[-len(COLUMNS) - 1 :].tolist() == [0.0] * len(COLUMNS) + [1.0]
    assert missing[-len(COLUMNS) - 1 :].tolist() == [1.0] * (len(COLUMNS) + 1)


def test_a_site_without_any_value_is_in_the_middle_and_of_no_kind() -> None:
    row = features_of(np.full((1, len(COLUMNS)), np.nan), np.full(len(COLUMNS), np.nan))[0]
    assert (row[: -len(COLUMNS) - 1] == 0).all()


def test_the_four_hospitals(shared_data: Path) -> None:
    assert shared_data.is_dir()
    suite = heart_table.heart_table(1, QUICK)
    counts = {site.name: sum(len(fold.local.labels) for fold in site.folds.values()) for site in suite.sites}
    assert counts == {"cleveland": 303, "hungarian": 294, "switzerland": 123, "va": 200}
    labels = {site.name: site.labels for site in suite.sites}
    assert labels["hungarian"] == ("absent", "present")
    assert labels["va"] == ("absent", *GRADES)
    assert not any(np.isnan(fold.local.features).any() for site in suite.sites for fold in site.folds.values())


def test_no_table_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heart_table, "FOLDER", tmp_path)
    with pytest.raises(ConsiliumError, match="cannot be read") as refused:
        heart_table.heart_table(1, QUICK)
    assert "\n" not in str(refused.value)
