"""What all networks of registration share: what they are asked, in which sizes, and what they answer."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from shared_models.bounds import require_sizes
from shared_models.registration.fields import LEAST_SIDE, Padding, integrate
from shared_models.registration.padding import cropped, padded

DIMENSIONS = range(2, 4)
CHANNELS = range(1, 65)  # of the first level; the published are 8, 16 and 48
PATCH_SCALES = range(1, 257)
COARSENESSES = range(1, 9)  # of the grid on which a velocity is integrated; published is 1


class Estimate(NamedTuple):
    """What a network says of pairs.

    Attributes:
        field: (B, d, *N) displacement, normalised (`fields`).
        regularised: (B, d, *N) what is to be smooth: the velocity of a diffeomorphic network, otherwise the field.
    """

    field: Tensor
    regularised: Tensor


class RegistrationNetwork(nn.Module):
    """Pairs of images (B, 1, *N) to displacement fields; any batch and size.

    Attributes:
        dimensions: d.
        diffeomorphic: whether what is estimated is a stationary velocity, to be integrated (Diff-Fourier-Net).
        coarseness: of the grid on which that is done (`fields.integrate`).
        divisor: of the sizes that it is made for; others are padded, and their fields cut back.
        padding: what it was published to see outside the moving image (`fields.warp`).
    """

    divisor = 16

    def __init__(
        self, dimensions: int, channels: int, diffeomorphic: bool, padding: Padding, coarseness: int = 1
    ) -> None:
        """Of so many dimensions, and channels at the first level.

        Raises:
            TypeError: a number that is no whole one, or `diffeomorphic` no truth value.
            ValueError: one that is far too large or too small.
        """
        super().__init__()
        sizes = {"dimensions": (dimensions, DIMENSIONS), "channels": (channels, CHANNELS)}
        require_sizes("a registration network", **sizes, coarseness=(coarseness, COARSENESSES))
        require_truth_values(diffeomorphic=diffeomorphic)
        self.dimensions, self.padding = dimensions, padding
        self.diffeomorphic, self.coarseness = diffeomorphic, coarseness

    def estimate(self, moving: Tensor, fixed: Tensor) -> Tensor:
        """(B, d, *N) field or velocity, normalised, of images whose size the divisor divides."""
        raise NotImplementedError

    def forward(self, moving: Tensor, fixed: Tensor) -> Estimate:
        """Fields of pairs.

        Args:
            moving: (B, 1, *N).
            fixed: (B, 1, *N).

        Raises:
            ValueError: images of other dimensions, or of different shapes.
        """
        require_pairs(moving, fixed, self.dimensions)
        size = moving.shape[2:]
        found = self.estimate(padded(moving, self.divisor), padded(fixed, self.divisor))
        if not self.diffeomorphic:
            field = cropped(found, size)
            return Estimate(field, field)
        return Estimate(cropped(integrate(found, coarseness=self.coarseness), size), cropped(found, size))


def register(network: RegistrationNetwork, moving: Tensor, fixed: Tensor) -> Tensor:
    """Fields (B, d, *N), normalised, of pairs of images (B, 1, *N), without gradients.

    Images without contrast are taken; what is said of them means nothing.

    Raises:
        ValueError: images of other dimensions, of different shapes, or with values that are no numbers.
    """
    for name, images in (("moving", moving), ("fixed", fixed)):
        if not torch.stack(images.aminmax()).isfinite().all():  # one pass, and no copy
            raise ValueError(f"the {name} image has values that are no numbers")
    with torch.inference_mode():
        return network(moving, fixed).field


def require_pairs(moving: Tensor, fixed: Tensor, dimensions: int) -> None:
    """Whether these are pairs for a network of so many dimensions.

    Raises:
        ValueError: they are not.
    """
    if moving.ndim != fixed.ndim:
        raise ValueError(f"the moving image has {moving.ndim - 2} dimensions, the fixed one {fixed.ndim - 2}")
    if moving.ndim != dimensions + 2:
        raise ValueError(f"images of {moving.ndim - 2} dimensions, and a network of {dimensions}")
    if moving.shape != fixed.shape:
        said = " and ".join("x".join(map(str, images.shape)) for images in (moving, fixed))
        raise ValueError(f"moving and fixed image are {said}: bring them to one grid first")
    if moving.shape[1] != 1 or min(moving.shape[2:]) < LEAST_SIDE:
        raise ValueError(f"images have one channel and {LEAST_SIDE} voxels a side at least, not {tuple(moving.shape)}")


def require_scale(scale: int) -> int:
    """The number by which a patch is multiplied.

    Raises:
        TypeError: no whole number.
        ValueError: one that is out of range.
    """
    require_sizes("a registration network", scale=(scale, PATCH_SCALES))
    return scale


def require_truth_values(**values: object) -> None:
    """Whether settings, by name, are truth values.

    Raises:
        TypeError: one is not.
    """
    for name, value in values.items():
        if type(value) is not bool:
            raise TypeError(f"a registration network of {name} {value!r}, which is neither true nor false")
