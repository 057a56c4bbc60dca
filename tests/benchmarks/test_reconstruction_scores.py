"""Scores of solids that are known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from benchmarks.reconstruction_hearts import Seen, hearts
from benchmarks.reconstruction_scores import scores, volume_scores
from benchmarks.reconstruction_settings import VENTRICLE, VIEWS, WALLS


@cache
def ventricle() -> Seen:
    return Seen(hearts(range(1), 32)[0], VIEWS[1], VENTRICLE)


def test_the_truth_is_right_but_for_its_voxels() -> None:
    said = scores(ventricle(), ventricle().target.astype(np.float32))
    assert said.ious == [1.0] * 8
    assert said.hausdorff_mm == 0
    assert said.error == said.voxels_error == pytest.approx(said.summed_error)
    assert said.error != 0


def test_half_the_probability_is_nothing_at_a_half_and_half_the_sum() -> None:
    said = scores(ventricle(), 0.25 * ventricle().target.astype(np.float32))
    assert said.ious == [1.0] + [0.0] * 7
    assert said.error == -100
    assert said.voxels_error is not None
    assert said.summed_error == pytest.approx(0.25 * (100 + said.voxels_error) - 100)
    assert said.hausdorff_mm == pytest.approx(32 * ventricle().heart.example.spacing_mm)


def test_walls_have_no_volume_and_discs_no_walls() -> None:
    walls = replace(ventricle(), sought=WALLS)
    assert scores(walls, walls.target.astype(np.float32)).error is None
    true_ml = ventricle().heart.example.lv_volume_ml
    told, guessed = volume_scores(ventricle(), 1.1 * true_ml, true_ml), volume_scores(ventricle(), None, 0.8 * true_ml)
    assert [told.error, guessed.error] == pytest.approx([10, -20])
    assert (told.ious, told.guessed, guessed.guessed) == (None, False, True)
