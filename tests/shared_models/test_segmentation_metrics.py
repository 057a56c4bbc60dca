"""Dice and distances of squares and discs."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.segmentation_metrics import fits

STRUCTURES = {"lv": 1, "la": 2}


def _square(top: int, left: int, size: int = 10, value: int = 1) -> np.ndarray:
    found = np.zeros((40, 40), dtype=np.uint8)
    found[top : top + size, left : left + size] = value
    return found


def test_the_same_map_fits() -> None:
    fit = fits(_square(5, 5), _square(5, 5), STRUCTURES, 0.5)["lv"]
    assert (fit.dice, fit.hausdorff_mm, fit.hausdorff_95_mm) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("spacing", [1.0, 0.3])
def test_a_shift_is_told_in_millimetres(spacing: float) -> None:
    fit = fits(_square(5, 5), _square(8, 5), STRUCTURES, spacing)["lv"]
    assert fit.dice == pytest.approx(0.7)
    assert fit.hausdorff_mm == pytest.approx(3 * spacing)
    assert fit.hausdorff_95_mm <= fit.hausdorff_mm


def test_one_stray_pixel_moves_the_largest_distance_alone() -> None:
    strayed = _square(5, 5, size=20)
    strayed[38, 38] = 1
    fit = fits(strayed, _square(5, 5, size=20), STRUCTURES, 1.0)["lv"]
    assert fit.hausdorff_mm == pytest.approx(np.hypot(14, 14))
    assert fit.hausdorff_95_mm == 0.0


def test_what_is_missing() -> None:
    found = fits(_square(5, 5), _square(5, 5, value=2), STRUCTURES, 1.0)
    assert [fit.dice for fit in found.values()] == [0.0, 0.0]
    assert all(np.isnan(fit.hausdorff_mm) for fit in found.values())
    assert np.isnan(fits(_square(5, 5), _square(5, 5), STRUCTURES, 1.0)["la"].dice)


def test_maps_of_other_sizes() -> None:
    with pytest.raises(ValueError, match="the prediction is"):
        fits(_square(5, 5), _square(5, 5)[:20], STRUCTURES, 1.0)
