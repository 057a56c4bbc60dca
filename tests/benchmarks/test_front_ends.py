from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import front_ends, patient_folds
from benchmarks.front_end_candidates import CANDIDATES, LIFT, SHIPPED, filter_bank, gabor, scattering
from benchmarks.patient_folds import load
from shared_models.front_ends import create_front_end

IMAGE = np.random.RandomState(0).randint(0, 255, (60, 90)).astype(np.uint8)


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_candidate_is_finite_and_the_same_twice(name: str) -> None:
    features = CANDIDATES[name](IMAGE)
    assert features.ndim == 1
    assert np.isfinite(features).all()
    assert np.array_equal(features, CANDIDATES[name](IMAGE))


def test_the_first_candidate_is_the_front_end() -> None:
    assert next(iter(CANDIDATES)) == SHIPPED
    assert np.array_equal(CANDIDATES[SHIPPED](IMAGE), create_front_end("texture")(IMAGE)[:-1])


def test_a_lift_adds_features() -> None:
    assert CANDIDATES["texture + random ReLU lift"](IMAGE).size == CANDIDATES[SHIPPED](IMAGE).size + LIFT


def test_filters_see_no_mean_and_the_scale_and_direction_they_are_for() -> None:
    scales, bank = filter_bank(64, 3)
    assert scales == (0,) * 6 + (1,) * 6 + (2,) * 6
    assert not bank[:, 0, 0].any()
    for frequency, number in ((0.35, 0), (0.175, 6), (0.0875, 12)):
        column = round(frequency * 64)
        assert bank[:, 0, column].argmax() == number


def test_gabor_and_scattering_have_the_sizes_they_say() -> None:
    assert gabor(IMAGE).shape == (480,)
    assert scattering(IMAGE).shape == (600,)


def test_digits_are_told_apart() -> None:
    (claim,) = front_ends.digits_claims()
    assert claim.holds


def test_a_small_run_on_the_real_set(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_ends, "TIMED", 2)
    monkeypatch.setattr(patient_folds, "OUTER_FOLDS", 3)
    monkeypatch.setattr(patient_folds, "INNER_FOLDS", 2)
    data = load(shared_data / "pocus_lung_multisite", front_ends.LUNG[1])
    chosen = "layout: local mean and contrast, 8x8", "patterns (LBP)"
    layout, patterns = front_ends.compare("lung", data, chosen, repeats=2)
    assert (layout["M"], patterns["M"]) == (129, 161)
    assert layout["less the first"] == ""
    assert float(layout["clips right, %"] or 0) > 70
    assert str(patterns["less the first"]).startswith("-")
