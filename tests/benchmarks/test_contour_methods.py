"""Every method answers every frame, and what finds no outline says so."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.contour import QUICK
from benchmarks.contour_frames import Frames, frames
from benchmarks.contour_methods import METHODS, NAMES, REFINED, TWO_HEADS, answers, followed, seven_of


@pytest.fixture(scope="module")
def taken() -> Frames:
    return frames(5, range(4), QUICK.side)


@pytest.fixture(scope="module")
def fine() -> Frames:
    return frames(5, range(2), 96)


def test_every_method_answers_in_pixels_of_the_frames(taken: Frames) -> None:
    found = answers(taken, taken, QUICK, 0)
    assert tuple(sorted(found)) == tuple(sorted(NAMES))
    assert set(METHODS) == set(NAMES) - {REFINED}
    for guessed in found.values():
        assert guessed.points.shape == taken.points.shape
        assert guessed.points.min() > -QUICK.side / 2
        assert guessed.points.max() < 1.5 * QUICK.side
    ends = [0, 3, 6]
    assert np.array_equal(found[TWO_HEADS].points[:, ends], found[REFINED].points[:, ends])


def test_a_true_mask_gives_nearly_the_true_points(fine: Frames) -> None:
    found = followed(list(fine.masks), fine, fine)
    assert not found.failed.any()
    assert np.linalg.norm(found.points - fine.points, axis=2).mean() < 1.5
    half = followed([mask[::2, ::2] for mask in fine.masks], fine, fine)
    assert np.linalg.norm(half.points - fine.points, axis=2).mean() < 3


def test_a_mask_without_outline_is_answered_by_the_mean_contour(fine: Frames) -> None:
    empty = np.zeros_like(fine.masks[0])
    assert seven_of(empty) is None
    masks = [empty, *fine.masks[1:]]
    found = followed(masks, fine, fine)
    assert found.failed.tolist() == [True] + [False] * (len(masks) - 1)
    assert np.array_equal(found.points[0], fine.points.mean(axis=0))
