"""Images and label maps under fields of which the outcome is known."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.registration_measures import carried_dice, folded_percent, likeness, warped


def _field(down: float, right: float, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    return np.stack([np.full(size, down), np.full(size, right)]).astype(np.float32)


def _image(size: tuple[int, int] = (24, 32)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)


def test_an_image_is_taken_from_where_the_field_leads() -> None:
    image = _image()
    found = warped(image, _field(2, 3))
    assert np.array_equal(found[:-2, :-3], image[2:, 3:])
    assert np.array_equal(found[-2:, :-3], np.repeat(image[-1:, 3:], 2, axis=0)), "the border's greys outside"
    assert np.array_equal(warped(image, _field(0, 0)), image)


def test_images_are_most_alike_where_one_is_brought_upon_the_other() -> None:
    image = _image()
    fixed = warped(image, _field(2, 3))
    assert likeness(image, fixed, _field(2, 3)) == pytest.approx(1, abs=0.01)
    assert likeness(image, fixed, _field(0, 0)) < 0.2
    black = np.zeros_like(image)
    assert likeness(image, black, _field(0, 0)) == likeness(black, black, _field(0, 0)) == 0
    wide = np.pad(image, 40)
    field = _field(2, 3, (104, 112))
    assert likeness(wide, warped(wide, field), field) == pytest.approx(1), "what is black about them counts nothing"
    assert likeness(image, fixed // 2, _field(2, 3)) == pytest.approx(1, abs=0.02), "whatever the gain"


def test_a_field_that_turns_the_image_round_folds_everywhere() -> None:
    rows = np.arange(24, dtype=np.float32)[:, None] * np.ones((1, 32), np.float32)
    assert folded_percent(np.stack([-2 * rows, np.zeros_like(rows)])) == 100
    assert folded_percent(np.stack([-0.5 * rows, np.zeros_like(rows)])) == 0


def test_label_maps_are_carried_structure_by_structure() -> None:
    moving = np.zeros((24, 32), np.uint8)
    moving[6:12, 8:20], moving[14:18, 8:20] = 2, 3
    fixed = np.zeros_like(moving)
    fixed[4:10, 5:17], fixed[12:16, 5:17] = 2, 3
    assert carried_dice(moving, fixed, _field(2, 3)) == 1
    before = np.mean([2 * 4 * 9 / 144, 2 * 2 * 9 / 96])  # rows and columns that lie on each other already
    assert carried_dice(moving, fixed, _field(0, 0)) == pytest.approx(before)
    assert np.isnan(carried_dice(np.zeros_like(moving), np.zeros_like(fixed), _field(0, 0)))
