from __future__ import annotations

import numpy as np

from shared_models.scaling import resized, resized_labels, unit


def test_an_image_of_the_right_size_is_left_alone():
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert resized(image, 4) is image


def test_shrinking_keeps_the_mean_of_what_a_pixel_covers():
    image = np.kron(np.array([[10, 200], [90, 30]], dtype=np.uint8), np.ones((8, 8), dtype=np.uint8))
    small = resized(image, 2)
    assert small.shape == (2, 2)
    assert abs(small.astype(float).mean() - image.mean()) < 1
    assert small[0, 1] > small[1, 0] > small[1, 1] > small[0, 0]


def test_vectors_have_length_one_and_zeros_stay_zeros():
    assert np.isclose(np.linalg.norm(unit(np.array([3.0, 4.0]))), 1)
    assert unit(np.zeros(3)).tolist() == [0, 0, 0]


def test_a_label_map_is_shrunk_and_enlarged_without_new_labels():
    labels = np.kron(np.array([[1, 2], [3, 0]], dtype=np.uint8), np.ones((4, 4), dtype=np.uint8))
    assert resized_labels(labels, (2, 2)).tolist() == [[1, 2], [3, 0]]
    assert set(np.unique(resized_labels(labels, (13, 5)))) == {0, 1, 2, 3}
    assert np.array_equal(resized_labels(resized_labels(labels, (2, 2)), (8, 8)), labels)
