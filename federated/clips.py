"""A clip is answered once, by the mean features of its frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federated.statistics import Array


def clip_means(features: Array, clips: Sequence[str]) -> Array:
    """(n, M) features to one mean row a clip, clips in order of first appearance."""
    names = list(dict.fromkeys(clips))
    index = np.array([names.index(clip) for clip in clips], dtype=np.int64)
    sums = np.zeros((len(names), features.shape[1]))
    np.add.at(sums, index, features)
    return np.asarray(sums / np.bincount(index, minlength=len(names))[:, None])
