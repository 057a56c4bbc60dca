"""The brightest of frames and channels, means of squares, backgrounds, and regions without what is thin."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.sector_echoes import backgrounds, block_means, brightest, echoes_above, picture_of, regions


def test_the_brightest_over_frames_and_channels() -> None:
    clip = np.zeros((3, 40, 50, 3), np.uint8)
    clip[0, 3, 4, 0], clip[2, 5, 6, 2] = 90, 80
    grey = brightest(clip)
    assert grey.shape == (40, 50)
    assert (grey[3, 4], grey[5, 6], int(grey.sum())) == (90, 80, 170)


def test_means_of_squares_drop_what_is_left_over() -> None:
    image = np.arange(7 * 8, dtype=np.uint8).reshape(7, 8)
    means = block_means(image, 3)
    assert means.shape == (2, 2)
    assert means[1, 0] == image[3:6, :3].mean()
    assert np.array_equal(block_means(image, 1), image)


@pytest.mark.parametrize(("shape", "step"), [((112, 112), 1), ((600, 800), 5), ((161, 40), 2)])
def test_the_coarse_image_is_at_most_160_pixels(shape: tuple[int, int], step: int) -> None:
    picture = picture_of(np.zeros(shape, np.uint8))
    assert picture.step == step
    assert max(picture.coarse.shape) <= 160


def test_a_grey_screen_with_a_black_bar_has_two_backgrounds() -> None:
    screen = np.full((80, 120), 7, np.float32)
    screen[:8] = 0
    screen[30:60, 40:90] = 90
    assert backgrounds(screen) == [0.0, 7.0]
    assert backgrounds(np.maximum(screen, 7)) == [7.0]


def test_regions_leave_out_what_is_thin_and_what_is_small() -> None:
    image = np.zeros((80, 120), np.float32)
    image[20:60, 30:60] = 50  # the largest
    image[20:60, 70:80] = 50  # a piece of it beyond a shadow
    image[70, :] = 200  # a trace
    image[5:8, 5:8] = 200  # a letter
    echoes = echoes_above(image, 0.0, 3)
    assert echoes.thick.sum() == 40 * 30 + 40 * 10 + 9
    assert [int(region.sum()) for region in regions(echoes)] == [1200, 1600]
    assert regions(echoes_above(image * 0, 0.0, 3)) == []


def test_a_panel_at_the_border_may_not_be_the_sector() -> None:
    image = np.zeros((80, 120), np.float32)
    image[60:, :] = 50
    image[10:40, 40:80] = 90
    found = regions(echoes_above(image, 0.0, 3))
    assert [int(region.sum()) for region in found] == [2400, 3600, 1200]
