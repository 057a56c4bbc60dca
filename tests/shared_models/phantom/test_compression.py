from __future__ import annotations

import numpy as np
import pytest

from shared_models.phantom import compression


@pytest.fixture
def image():
    v, u = np.mgrid[:75, :101]
    noise = np.random.default_rng(3).normal(0, 25, (75, 101))
    return np.clip(128 + 80 * np.sin(u / 9) * np.cos(v / 7) + noise, 0, 255).astype(np.uint8)


def error(one, other):
    return float(np.sqrt(((one.astype(float) - other) ** 2).mean()))


def test_quality_fifty_is_the_table_of_the_standard_and_a_hundred_rounds_to_whole_coefficients():
    assert np.array_equal(compression.quantisation(compression.LUMINANCE, 50), compression.LUMINANCE)
    assert (compression.quantisation(compression.LUMINANCE, 100) == 1).all()
    assert compression.quantisation(compression.LUMINANCE, 25)[0, 0] == 32
    assert compression.quantisation(compression.LUMINANCE, 1).max() == 255


@pytest.mark.parametrize("quality", [0, 101])
def test_a_quality_that_there_is_not_is_refused(quality, image):
    with pytest.raises(ValueError, match="between 1 and 100"):
        compression.jpeg(image, quality)


def test_the_best_quality_changes_an_image_by_a_few_greys_at_most(image):
    assert np.abs(compression.jpeg(image, 100).astype(int) - image).max() <= 3


def test_lower_quality_loses_more(image):
    errors = [error(compression.jpeg(image, quality), image) for quality in (100, 90, 70, 50, 30, 10)]
    assert errors == sorted(errors)
    assert errors[-1] > 5 * errors[0]


def test_the_transform_alone_loses_nothing(image):
    fine = np.full((8, 8), 1e-3, np.float32)
    assert np.allclose(compression.rounded(image.astype(np.float32), fine), image, atol=0.01)


def test_each_block_keeps_its_mean_to_half_a_step(image):
    steps = compression.quantisation(compression.LUMINANCE, 50)
    inside = image[:72, :96].astype(np.float32) - 128
    means = (x.reshape(9, 8, 12, 8).mean((1, 3)) for x in (inside, compression.rounded(inside, steps)))
    assert np.abs(np.subtract(*means)).max() <= steps[0, 0] / 2 / 8 + 1e-3


def test_one_cosine_comes_back_at_a_multiple_of_its_step():
    u = np.arange(8)
    wave = np.tile(31 * np.cos((2 * u + 1) * np.pi / 16), (8, 1)).astype(np.float32)  # its coefficient is 31 * sqrt(32)
    found = compression.rounded(wave, compression.LUMINANCE)
    assert np.allclose(found, wave * (16 * 11 / (31 * np.sqrt(32))), atol=1e-3)


def test_the_first_frame_of_a_video_is_stored_whole_and_one_like_the_last_costs_nothing(image):
    first = compression.video(image, None, 60)
    assert np.array_equal(first, compression.jpeg(image, 60))
    assert np.array_equal(compression.video(first, first, 60), first)


def test_a_video_comes_closer_to_a_still_scene_with_finer_steps(image):
    blank = np.zeros_like(image)
    errors = [error(compression.video(image, blank, quality), image) for quality in (95, 60, 20)]
    assert errors == sorted(errors)
    assert errors[-1] > 3 * errors[0]
