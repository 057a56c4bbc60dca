"""Frames of a clip become one row."""

from __future__ import annotations

import numpy as np

from federated.clips import clip_means


def test_clip_means_keep_the_order_of_first_appearance():
    means = clip_means(np.array([[1.0], [5.0], [3.0]]), ["b", "a", "b"])
    assert means.tolist() == [[2.0], [5.0]]
