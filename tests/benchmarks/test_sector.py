"""Tables and claims follow from cases whose outcome is known; a quick run goes from end to end without real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import sector
from benchmarks.sector import (
    MODES,
    REAL,
    TRUTH,
    Case,
    Looked,
    agreeing,
    call_times,
    measure,
    mode_rows,
    phantom_cases,
    real_rows,
    truth_rows,
    worth_rows,
)
from benchmarks.sector_images import GALLERY, LUNG

CASES = [
    Case("albatross", "A4C", False, (0.98, 0.99), (0.97, 0.99)),
    Case("albatross", "PLAX", True, (0.70, 0.96), (0.82, 0.93)),
    Case("dunlin", "A4C", False, (0.0, 0.95), (0.0, 0.91)),
]


def test_agreement_is_intersection_over_union() -> None:
    one, other = np.zeros((4, 6), bool), np.zeros((4, 6), bool)
    one[:, :4], other[:, 2:] = True, True
    assert agreeing(one, other) == pytest.approx(1 / 3)


def test_a_row_a_machine_and_one_over_all() -> None:
    rows = truth_rows(CASES)
    assert [row["machine"] for row in rows] == ["albatross", "dunlin", "all"]
    assert [row["wrong stills"] for row in rows] == [1, 1, 2]
    assert [row["wrong clips"] for row in rows] == [0, 0, 0]
    assert rows[0]["still, median"] == pytest.approx(0.84)
    assert {row["table"] for row in rows} == {TRUTH}


def test_every_sector_is_in_one_class_of_quality() -> None:
    rows = worth_rows(CASES)
    assert [row["sectors"] for row in rows] == [2, 2, 1, 1]
    assert [row["wrong"] for row in rows] == [0, 0, 1, 1]


def test_sweeps_are_counted_as_modes_and_not_as_sectors() -> None:
    images = [
        Looked(GALLERY, "02_a2ch-la", False, "colour", "colour", 0.9),
        Looked(GALLERY, "01_a2ch-full", True, "b", "colour", 0.0),
        Looked(GALLERY, "17_doppler-ao", True, "spectral", "spectral", 0.8),
        Looked(LUNG, "a clip", False, "", "b", 0.7),
    ]
    rows = real_rows(images)
    assert [(row["number"], row["found"], row["wrong by eye"]) for row in rows] == [(1, 1, 1), (1, 0, 0), (1, 1, 0)]
    assert {row["table"] for row in rows} == {REAL}
    modes = {(row["half"], row["index"]): row for row in mode_rows(images)}
    assert set(modes) == {("looked at", "colour"), ("unseen", "b"), ("unseen", "spectral")}
    assert modes["unseen", "b"]["colour"] == 1
    assert {row["table"] for row in modes.values()} == {MODES}


def test_a_quick_run_without_real_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sector, "phantom_cases", lambda *_, **__: CASES)
    monkeypatch.setattr(sector, "LARGE", (150, 200))
    measured = measure(quick=True, gallery=tmp_path, lung=tmp_path, screens=tmp_path)
    claims = {claim.claim: claim for claim in measured.claims}
    assert claims["sector: agreement with the phantom's truth, median"].value == pytest.approx(0.955)
    assert claims["sector: phantom stills and clips with an agreement under 0.9"].value == pytest.approx(100 * 2 / 6)
    assert "sector: time of a still of 150 x 200" in claims
    assert "3 phantom clips" in measured.notes[0]


def test_one_view_on_every_machine() -> None:
    cases = phantom_cases(1, quick=True)
    assert len(cases) == 18
    assert np.median([case.agreement for case in cases]) > 0.96


def test_times_are_those_of_every_input() -> None:
    assert {what: len(each) for what, each in call_times((112, 112), 2).items()} == {
        "sector of a still": 2,
        "sector of a clip": 2,
        "mode of a still": 2,
    }
