"""Images of any size for networks that halve it several times: padded, and the field cut back.

What is added repeats the border's voxels, half of it on each side and the odd one at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def padded(images: Tensor, divisor: int) -> Tensor:
    """Images (B, C, *N) with every axis at the next multiple of a divisor; the images themselves if they are there."""
    missing = [-n % divisor for n in images.shape[2:]]
    if not any(missing):
        return images
    sides = [side for more in reversed(missing) for side in (more // 2, more - more // 2)]
    return functional.pad(images, sides, mode="replicate")


def cropped(field: Tensor, size: Sequence[int]) -> Tensor:
    """A normalised field of padded images on the images' own grid, in its units: (B, d, *size).

    1 is half the grid, which was larger: of an axis padded from n to m voxels, (m - 1) / (n - 1) times as much.
    """
    whole = field.shape[2:]
    if tuple(whole) == tuple(size):
        return field
    for axis, (n, m) in enumerate(zip(size, whole, strict=True), start=2):
        field = field.narrow(axis, (m - n) // 2, n)
    factors = [(m - 1) / (n - 1) for n, m in zip(size, whole, strict=True)]
    return field * field.new_tensor(factors).view(1, -1, *[1] * len(factors))
