"""How good a field is, the same for all methods: overlap of labels, distance from the true field, folds, likeness.

Fields are (d, *N) float32 in voxels, from fixed to moving; see `shared_models.registration.fields`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from shared_models.registration.fields import folded_fraction, to_normalised, warp, warp_labels

Floats = NDArray[np.float32]
Labels = NDArray[np.uint8]


def moved(image: Floats, field: Floats) -> Floats:
    """(*N) the moving image where a field leads, linearly; its border's values outside."""
    return np.asarray(warp(_batch(image), _normalised(field), "border")[0, 0].numpy())


def moved_labels(labels: Labels, field: Floats, known: Sequence[int]) -> Labels:
    """(*N) the moving labels where a field leads: each of the known ones, and the rest as 0, is warped linearly."""
    whole = torch.from_numpy(np.where(np.isin(labels, known), labels, 0).astype(np.int64))[None]
    found = warp_labels(whole, _normalised(field), (0, *known))[0].numpy()
    return np.asarray(found, dtype=np.uint8)


def dice(found: Labels, true: Labels, known: Sequence[int]) -> NDArray[np.float64]:
    """(labels,) 2 |A and B| / (|A| + |B|) of each label of a fixed list; NaN where neither map has it."""
    both = [(found == label, true == label) for label in known]
    sizes = np.array([one.sum() + other.sum() for one, other in both], dtype=np.float64)
    shared = np.array([(one & other).sum() for one, other in both], dtype=np.float64)
    return np.where(sizes > 0, 2 * shared / np.maximum(sizes, 1), np.nan)


def endpoint_error_mm(
    found: Floats, true: Floats, spacing_mm: Sequence[float], valid: NDArray[np.bool_] | None = None
) -> float:
    """Mean length of what is between two fields, over voxels that are valid."""
    steps = (found - true) * np.reshape(np.asarray(spacing_mm, np.float32), (-1, *[1] * (true.ndim - 1)))
    lengths = np.linalg.norm(steps, axis=0)
    return float(lengths.mean() if valid is None else lengths[valid].mean())


def folded_percent(field: Floats) -> float:
    """Percent of voxels at which the determinant of the Jacobian is 0 or less, by central differences."""
    return 100 * float(folded_fraction(torch.from_numpy(field)[None].double())[0])


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's, over all voxels; 0 where an image is flat."""
    first, second = (image.astype(np.float64) - image.mean() for image in (one, other))
    power = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / power) if power > 0 else 0.0


def _batch(image: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None, None]


def _normalised(field: Floats) -> torch.Tensor:
    return to_normalised(torch.from_numpy(np.ascontiguousarray(field))[None])
