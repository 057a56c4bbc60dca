"""One pair registered by descent on its own loss, without a training set: on equal terms with classical tools.

What is sought is the patch S of Fourier-Net's decoder (`band_limited`), all that there is to a band-limited field. It
is held in voxels, so that a step of Adam is a share of a voxel at every size, and it is sought on coarse images first,
whose patch is smaller as well, then on finer ones from there. Or the weights of a network are sought that has learnt
before, so that what it says of this pair gets better. Nothing is drawn at random.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from shared_models.registration.descent import Effort, descend
from shared_models.registration.fields import LEAST_SIDE, integrate, to_normalised, to_voxels
from shared_models.registration.network import Estimate, RegistrationNetwork
from shared_models.registration.padding import cropped
from shared_models.registration.pair_grids import (
    INTEGRATED_AT,
    PADDING,
    Step,
    Watch,
    divided,
    halvings,
    require_pair,
    require_sizes,
    require_start,
    resampled,
    widened,
)
from shared_models.registration.registration_loss import RegistrationLoss

COARSENESS = 4  # as in Fourier-Net
PATCH_RATE = 0.1  # voxels
WEIGHTS_RATE = 1e-4  # as they were learnt at


def register_by_patch(
    moving: Tensor,
    fixed: Tensor,
    loss: RegistrationLoss,
    *,
    diffeomorphic: bool = False,
    sizes: Sequence[int] | None = None,
    coarseness: int = COARSENESS,
    rate: float = PATCH_RATE,
    effort: Effort | None = None,
    start: Tensor | None = None,
    watch: Watch | None = None,
) -> Estimate:
    """The band-limited field, or integral of a band-limited velocity, under which a pair's loss is least.

    Args:
        moving: (1, 1, *N), on the device where it is sought.
        fixed: likewise.
        loss: what is to be least.
        diffeomorphic: whether a velocity is sought.
        sizes: by which images are divided, one after the other; None for `halvings`, of which the last is 1. One that
            ends at 2 never meets the full size, which takes a small part of the time and misses fine detail.
        coarseness: voxels of an image along an axis to one of its patch: 4 as in Fourier-Net; with sizes that end at
            2, 2 gives the same patch.
        rate: of Adam, voxels of the images as they are divided.
        effort: how long is sought at each size.
        start: (1, d, *N) normalised field or velocity to begin with, as the `regularised` of a network's estimate; the
            frequencies are kept that the first size holds. None for one of zeros.
        watch: is told before every step.

    Raises:
        ValueError: no single pair, values that are no numbers, sizes or a start that do not fit, or a loss that is no
            number.
    """
    size = require_pair(moving, fixed)
    sizes = halvings(size) if sizes is None else sizes
    require_sizes(sizes)
    if coarseness < 1:
        raise ValueError(f"{coarseness} voxels of an image to one of its patch: 1 or more")
    effort = effort or Effort()
    values = torch.zeros_like(moving).expand(-1, len(size), *size) if start is None else _started(start, moving)
    values, moving, fixed = (widened(each) for each in (values, moving, fixed))
    wide = moving.shape[2:]
    for number, factor in enumerate(sizes, start=1):
        grid = divided(wide, factor)
        before, wanted = (resampled(images, grid) for images in (moving, fixed))
        patch = resampled(values, [max(LEAST_SIDE, math.ceil(n / coarseness)) for n in grid]).clone().requires_grad_()

        def of_patch(patch: Tensor = patch, before: Tensor = before, wanted: Tensor = wanted) -> Tensor:
            return loss(_estimate(patch, before.shape[2:], wide, diffeomorphic), before, wanted, PADDING)

        told = partial(_tell, watch, number, len(sizes), effort)
        descend([patch], of_patch, rate * factor, effort, told)
        values = patch.detach()
    return Estimate(*(cropped(each, size) for each in _estimate(values, wide, wide, diffeomorphic)))


def register_by_weights(
    network: RegistrationNetwork,
    moving: Tensor,
    fixed: Tensor,
    loss: RegistrationLoss,
    *,
    rate: float = WEIGHTS_RATE,
    effort: Effort | None = None,
    watch: Watch | None = None,
) -> Estimate:
    """What a network says of a pair when its weights are where the pair's loss is least.

    Args:
        network: begins it; a copy is changed.
        moving: (1, 1, *N), on the network's device.
        fixed: likewise.
        loss: what is to be least.
        rate: of Adam.
        effort: how long is sought.
        watch: is told before every step.

    Raises:
        ValueError: no single pair for the network, values that are no numbers, or a loss that is no number.
    """
    require_pair(moving, fixed)
    effort, learner = effort or Effort(), copy.deepcopy(network).eval().requires_grad_()

    def of_weights() -> Tensor:
        return loss(learner(moving, fixed), moving, fixed, network.padding)

    descend(list(learner.parameters()), of_weights, rate, effort, partial(_tell, watch, 1, 1, effort))
    with torch.no_grad():
        return Estimate(*learner(moving, fixed))


def _estimate(patch: Tensor, grid: Sequence[int], size: Sequence[int], diffeomorphic: bool) -> Estimate:
    """What a patch in voxels of images of a size says on a grid that has as many, or fewer."""
    shares = patch.new_tensor([n / whole for n, whole in zip(grid, size, strict=True)])
    said = to_normalised(resampled(patch, grid) * shares.view(1, -1, *[1] * len(size)))
    return Estimate(integrate(said, coarseness=INTEGRATED_AT[said.ndim]) if diffeomorphic else said, said)


def _started(start: Tensor, moving: Tensor) -> Tensor:
    require_start(start, moving.shape[2:])
    return to_voxels(start.detach().to(moving))


def _tell(watch: Watch | None, number: int, sizes: int, effort: Effort, step: int, loss: float) -> None:
    if watch:
        watch(Step(number, sizes, (number - 1) * effort.steps + step, sizes * effort.steps, loss))
