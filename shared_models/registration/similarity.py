"""How unlike two images are, as losses: all are least where the images are equal, and have finite gradients everywhere.

Images are (B, 1, *N), 2D or 3D; a loss is a scalar. For speckle, which is another at every instant, neither grey levels
nor their local correlation are the same in both images: `self_similarity` compares what patches look like among their
neighbours, `band_limited_mse` what is left without fine detail.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional

from shared_models.registration.band_limited import band_limited

WINDOW = 9
TINY = 1e-5  # under the correlation's fraction bar, as published
RADIUS, DILATION = 2, 2  # voxels: of a patch, and to its neighbours
LEAST_VARIANCE = 1e-6
POOLS = {2: functional.avg_pool2d, 3: functional.avg_pool3d}


def mse(one: Tensor, other: Tensor) -> Tensor:
    """Mean squared difference, 0 at best."""
    return ((one - other) ** 2).mean()


def local_ncc(one: Tensor, other: Tensor, window: int = WINDOW) -> Tensor:
    """Less the mean squared correlation within windows: near -1 where one is a linear map of the other, 0 at worst.

    -mean(c² / (a b + 10⁻⁵)), with c = Σ(I - mean I)(J - mean J) over a window of `window`^d voxels and a, b likewise of
    each image alone; outside the images is 0. Where an image is flat nothing correlates.

    Raises:
        ValueError: a window that has no middle.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"a window of {window} voxels has no middle: take an odd number")
    count = window ** (one.ndim - 2)
    means = box_means(torch.cat([one, other, one * one, other * other, one * other], dim=1), window)
    mean_one, mean_other, square_one, square_other, product = means.unbind(dim=1)
    cross = count * (product - mean_one * mean_other)
    variances = [count * (square - mean**2) for square, mean in ((square_one, mean_one), (square_other, mean_other))]
    first, second = (variance.clamp_min(0) for variance in variances)  # rounding may leave less than nothing
    return -(cross**2 / (first * second + TINY)).mean()


def self_similarity(one: Tensor, other: Tensor, radius: int = RADIUS, dilation: int = DILATION) -> Tensor:
    """Mean squared difference of `self_similarity_context`, 0 at best; blind to gain, offset and, mostly, speckle."""
    contexts = [self_similarity_context(images, radius, dilation) for images in (one, other)]
    return mse(*contexts)


def self_similarity_context(images: Tensor, radius: int = RADIUS, dilation: int = DILATION) -> Tensor:
    """(B, P, *N) descriptors in [0, 1]: how alike patches around each voxel are, pair by pair; 12 pairs in 3D, 4 in 2D.

    MIND-SSC: Heinrich et al., MICCAI 2013, eq. 4: exp(-D / V), less the least D of the voxel. D is the mean squared
    difference of the patches around two of the voxel's neighbours that are neighbours themselves, V its mean over
    pairs, kept within a thousand times of its mean over the image.
    """
    shifted = _neighbours(images, dilation)
    differences = [(shifted[a] - shifted[b]) ** 2 for a, b in combinations(range(len(shifted)), 2) if a // 2 != b // 2]
    distances = box_means(torch.cat(differences, dim=1), 2 * radius + 1)
    distances = distances - distances.amin(dim=1, keepdim=True)
    variance = distances.mean(dim=1, keepdim=True)
    middle = variance.mean(dim=tuple(range(1, variance.ndim)), keepdim=True).detach()
    bounded = torch.minimum(torch.maximum(variance, middle / 1000), middle * 1000)
    return (-distances / bounded.clamp_min(LEAST_VARIANCE)).exp()


def band_limited_mse(one: Tensor, other: Tensor, factor: int = 4) -> Tensor:
    """`mse` of both images at a `factor`-th of their size, without the frequencies that it cannot hold; 0 at best."""
    size = [max(1, n // factor) for n in one.shape[2:]]
    scale = 1.0
    for n, small in zip(one.shape[2:], size, strict=True):
        scale *= small / n
    return mse(*(band_limited(images, size) * scale for images in (one, other)))


def box_means(values: Tensor, window: int) -> Tensor:
    """Means over windows of values (B, C, *N) of which there are 0 outside; one axis after the other."""
    dimensions = values.ndim - 2
    for axis in range(dimensions):
        kernel = [window if axis == other else 1 for other in range(dimensions)]
        edges = [window // 2 if axis == other else 0 for other in range(dimensions)]
        values = POOLS[dimensions](values, kernel, stride=1, padding=edges)
    return values


Similarity = Callable[[Tensor, Tensor], Tensor]
SIMILARITIES: dict[str, Similarity] = {
    each.__name__: each for each in (mse, local_ncc, self_similarity, band_limited_mse)
}


def similarity_named(name: str) -> Similarity:
    """A similarity by its name.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in SIMILARITIES:
        raise ValueError(f"there is no similarity '{name}', there are {', '.join(SIMILARITIES)}")
    return SIMILARITIES[name]


def _neighbours(images: Tensor, dilation: int) -> list[Tensor]:
    """The images as seen from `dilation` voxels away: along each axis before and after; borders repeated."""
    dimensions = images.ndim - 2
    wide = functional.pad(images, [dilation] * (2 * dimensions), mode="replicate")
    found = []
    for axis in range(dimensions):
        for start in (0, 2 * dilation):
            seen = wide
            for other in range(dimensions):
                begin = start if other == axis else dilation
                seen = seen.narrow(other + 2, begin, images.shape[other + 2])
            found.append(seen)
    return found
