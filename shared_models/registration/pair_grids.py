"""One pair of images, widened and brought to the sizes at which its field is sought, the coarse ones first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from shared_models.registration.band_limited import band_limited
from shared_models.registration.fields import LEAST_SIDE, Padding
from shared_models.registration.network import require_pairs

MARGIN = 8  # voxels at every edge, where a periodic field finds its way back
FEWEST = 12  # voxels along an axis of the coarsest images
PADDING: Padding = "border"
INTEGRATED_AT = {4: 1, 5: 2}  # coarseness by the axes of a batch: in 2D it would cost precision and win little time


class Step(NamedTuple):
    """How far a search is.

    Attributes:
        size: number of the size, from 1.
        sizes: how many there are.
        step: from 1, as if every size before had taken all of its own.
        steps: of all sizes, at most.
        loss: before the step.
    """

    size: int
    sizes: int
    step: int
    steps: int
    loss: float


Watch = Callable[[Step], None]


def require_pair(moving: Tensor, fixed: Tensor) -> torch.Size:
    """The size of the images of a single pair.

    Raises:
        ValueError: they are none.
    """
    require_pairs(moving, fixed, moving.ndim - 2)
    if len(moving) != 1 or moving.ndim not in {4, 5}:
        raise ValueError(f"one pair of 2D or 3D images at a time, not {tuple(moving.shape)}")
    for name, image in (("moving", moving), ("fixed", fixed)):
        if not image.isfinite().all():
            raise ValueError(f"the {name} image has values that are no numbers")
    return moving.shape[2:]


def require_start(start: Tensor, size: Sequence[int]) -> None:
    """Of a field or velocity to begin with.

    Raises:
        ValueError: it is of other images.
    """
    if start.shape != (1, len(size), *size):
        raise ValueError(f"a start of {tuple(start.shape)} for images of {'x'.join(map(str, size))}")


def require_sizes(sizes: Sequence[int]) -> None:
    """Of images that are divided.

    Raises:
        ValueError: they are none.
    """
    if not sizes or min(sizes) < 1:
        raise ValueError(f"images divided by {', '.join(map(str, sizes)) or 'nothing'}: each by 1 or more")


def halvings(size: Sequence[int]) -> list[int]:
    """Powers of two down to 1; the greatest leaves images of a size 12 voxels along their shortest axis, or more."""
    found = [1]
    while min(size) >= FEWEST * 2 * found[0]:
        found.insert(0, 2 * found[0])
    return found


def divided(size: Sequence[int], by: int) -> list[int]:
    """Voxels along each axis of images that are so many times smaller."""
    return [max(LEAST_SIDE, round(n / by)) for n in size]


def widened(values: Tensor) -> Tensor:
    """With a margin that repeats the border's values."""
    return functional.pad(values, [MARGIN] * (2 * (values.ndim - 2)), mode="replicate")


def resampled(values: Tensor, size: Sequence[int]) -> Tensor:
    """`band_limited`, but as large as before."""
    before = values.shape[2:]
    if tuple(before) == tuple(size):
        return values
    return band_limited(values, size) * (math.prod(size) / math.prod(before))
