"""The attacks' figures are right where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.leakage import SIDE, VICTIM, _quality, invert
from benchmarks.lung_data import Images, Shot


def test_a_perfect_guess_is_found_again():
    truth = np.random.default_rng(0).random((6, 9))
    row = _quality("copy", truth + 1e-6, truth)
    assert row["correlation"] == pytest.approx(1.0)
    assert row["found again"] == 1.0
    assert row["PSNR, dB"] == pytest.approx(120.0)


def test_features_that_keep_the_pixels_are_decoded_and_features_of_noise_are_not():
    rng = np.random.default_rng(1)
    pixels = rng.random((120, 12)) @ rng.random((12, SIDE**2)) / 12
    shots = tuple(
        Shot(VICTIM if row < 20 else "elsewhere", f"p{row}", "healthy", f"c{row}", "convex", row) for row in range(120)
    )
    kept = invert(Images(shots, np.column_stack([pixels[:, ::7], np.ones(120)])), pixels)[0]
    noise = invert(Images(shots, rng.normal(size=(120, 30))), pixels)[0]
    assert kept["found again"] == 1.0
    assert noise["found again"] < 0.3
