"""Scores of shifts, stretches and squares that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.registration_scores import (
    correlation,
    dice,
    endpoint_error_mm,
    folded_percent,
    moved,
    moved_labels,
)
from tests.benchmarks.registration_toys import SHAPES, blobs, shift, swirl


def square(shape, start, edge=4, label=1):
    found = np.zeros(shape, np.uint8)
    found[tuple(slice(first, first + edge) for first in start)] = label
    return found


def test_overlap_of_two_squares_is_counted() -> None:
    one, other = square((12, 12), (2, 2)), square((12, 12), (2, 4))
    assert dice(one, other, (1, 2)) == pytest.approx([0.5, np.nan], nan_ok=True)
    assert dice(one, one, (1,)) == [1.0]
    assert dice(one, np.zeros_like(one), (1,)) == [0.0]


def test_labels_follow_the_field_from_fixed_to_moving() -> None:
    moving = square((14, 14), (6, 3), label=2)
    found = moved_labels(moving, shift((14, 14), (4.0, -1.0)), (1, 2))
    np.testing.assert_array_equal(found, square((14, 14), (2, 4), label=2))


def test_labels_that_are_not_judged_are_background() -> None:
    other = square((14, 14), (6, 3), label=7)
    assert not moved_labels(other, shift((14, 14), (0.0, 0.0)), (1, 2)).any()


def test_an_image_follows_the_field_too() -> None:
    image = blobs((20, 24))
    found = moved(image, shift((20, 24), (3.0, 0.0)))
    np.testing.assert_allclose(found[:-3], image[3:], atol=1e-5)
    np.testing.assert_allclose(found[-1], image[-1], atol=1e-5)  # the border goes on


def test_the_end_point_is_off_by_a_step_in_millimetres() -> None:
    true = swirl((10, 12))
    found = true + np.array([3.0, 4.0], np.float32)[:, None, None]
    assert endpoint_error_mm(found, true, (1.0, 1.0)) == pytest.approx(5)
    assert endpoint_error_mm(found, true, (0.0, 2.0)) == pytest.approx(8)
    found[:, 0, 0] += 100
    valid = np.ones((10, 12), bool)
    valid[0, 0] = False
    assert endpoint_error_mm(found, true, (1.0, 1.0), valid) == pytest.approx(5)


@pytest.mark.parametrize("shape", SHAPES, ids=["2D", "3D"])
def test_a_mirrored_axis_folds_everywhere_and_a_stretched_one_nowhere(shape) -> None:
    at = np.indices(shape, dtype=np.float32)
    stretched, mirrored = np.zeros_like(at), np.zeros_like(at)
    stretched[-1], mirrored[0] = at[-1], -2 * at[0]
    assert folded_percent(stretched) == 0
    assert folded_percent(mirrored) == 100


def test_half_a_mirrored_image_folds_in_half() -> None:
    at = np.indices((8, 20), dtype=np.float32)
    field = np.zeros_like(at)
    field[1] = np.where(at[1] < 10, -2 * at[1], -18.0)  # x -> -x, then x -> x - 18
    assert folded_percent(field) == pytest.approx(100 * 10 / 20, abs=5.01)


def test_correlation_is_blind_to_gain_and_offset() -> None:
    image = blobs((10, 12))
    assert correlation(image, 3 * image + 1) == pytest.approx(1)
    assert correlation(image, -image) == pytest.approx(-1)
    assert correlation(image, np.ones_like(image)) == 0
