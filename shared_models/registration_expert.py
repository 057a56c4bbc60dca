"""The network of registration that a site trains and shares: a Diff-Fourier-Net of frames, with a reference.

It says a stationary velocity and not a displacement, so that what several of them say of a pair can be averaged: the
exponential of a weighted mean of velocities folds nowhere, as theirs do not, while a mean of displacements may (the
log-Euclidean mean of Arsigny et al., MICCAI 2006). Its deepest features, averaged over the image, say how a pair looks
to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared_models.bounds import SIDES, require_room, require_sizes
from shared_models.image_reference import with_reference

if TYPE_CHECKING:
    import torch

WIDTHS = range(1, 65)
DEEPEST = 8  # times as many channels as the first level has
SIMILARITY, SMOOTHNESS = "local_ncc", 0.5  # what is learnt by
AT_ONCE = 16
Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Velocities:
    """What an expert says of n pairs.

    Attributes:
        velocities: (n, 2, S, S) stationary, normalised at the network's side (`registration.fields`).
        features: (n, D).
    """

    velocities: torch.Tensor
    features: NDArray[np.floating[Any]]


def diff_fourier_net(side: int, width: int = 8) -> torch.nn.Module:
    """A `FourierNet` of pairs (n, 1, side, side) in 2D, diffeomorphic, with room for the reference of its features.

    Args:
        side: of the images, in pixels.
        width: channels of the first level; the paper's small network has 8.

    Raises:
        TypeError: a size that is no whole number.
        ValueError: one that is far too large or too small.
    """
    from shared_models.registration.first_weights import ready_to_learn
    from shared_models.registration.fourier_net import FourierNet

    require_sizes("a network of registration", side=(side, SIDES), width=(width, WIDTHS))
    require_room("a network of registration", 2 * DEEPEST * width, width * side**2)
    return with_reference(ready_to_learn(FourierNet(2, width, diffeomorphic=True)), DEEPEST * width)


def velocities(network: torch.nn.Module, moving: Gray, fixed: Gray) -> Velocities:
    """Of pairs (n, S, S) at the network's own side, in evaluation mode."""
    import torch

    read: list[torch.Tensor] = []
    deepest = network.get_submodule("contracting")
    hook = deepest.register_forward_hook(lambda _module, _given, out: read.append(out[-1].mean(dim=(2, 3))))
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    found = []
    try:
        with torch.no_grad():
            for begin in range(0, len(moving), AT_ONCE):
                pair = (_shown(images[begin : begin + AT_ONCE], device) for images in (moving, fixed))
                found.append(network(*pair).regularised)
    finally:
        hook.remove()
        network.train(was_training)
    return Velocities(torch.cat(found).cpu(), torch.cat(read).cpu().numpy())


def _shown(images: Gray, device: torch.device) -> torch.Tensor:
    import torch

    return torch.tensor(images)[:, None].to(device).float() / 255


def velocity_at(velocity: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """A velocity of images that were stretched to a side, on the grid of the images as they were, in its units.

    Args:
        velocity: (n, 2, S, S), normalised.
        size: H and W of the images; pixels are areas, of which S cover what H and W do.
    """
    from torch.nn import functional

    side = velocity.shape[2]
    resampled = functional.interpolate(velocity, tuple(size), mode="bilinear", align_corners=False)
    factors = [(side - 1) / side * pixels / (pixels - 1) for pixels in size]
    return resampled * velocity.new_tensor(factors).view(1, 2, 1, 1)


def mean_field(velocities: Sequence[torch.Tensor], shares: Sequence[float]) -> NDArray[np.float32]:
    """(2, H, W) displacement in voxels: the exponential of a mean of normalised velocities (1, 2, H, W).

    Args:
        velocities: one at least.
        shares: of each; they add up to one.
    """
    import torch

    from shared_models.registration.fields import integrate, to_voxels

    with torch.no_grad():
        mean = torch.stack([share * one for share, one in zip(shares, velocities, strict=True)]).sum(dim=0)
        return np.asarray(to_voxels(integrate(mean))[0].numpy())
