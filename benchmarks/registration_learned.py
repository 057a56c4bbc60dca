"""Networks of registration that a user would install: VoxelMorph's own, and MONAI's LocalNet and VoxelMorph.

Each is asked as the project's networks are (`shared_models.registration.network`). They say voxels, in the order of
the axes, from fixed to moving; those that are diffeomorphic integrate their velocity themselves, as they come.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, cat, nn

from shared_models.registration.fields import Padding, to_normalised
from shared_models.registration.network import Estimate
from shared_models.registration.padding import cropped, padded

VOXELMORPH, VOXELMORPH_DIFF = "VoxelMorph", "VoxelMorph, diffeomorphic"
LOCALNET = "MONAI LocalNet"
MONAI = "MONAI VoxelMorph"
STEPS = 7  # of scaling and squaring
LEVELS: Any = (0, 1, 2, 3)  # whose fields LocalNet averages
FEATURES = (16, 32, 32, 32)
Voxels = Callable[[Tensor, Tensor], Tensor]


class Peer(nn.Module):
    """Pairs of images (B, 1, *N) of any size to fields.

    Attributes:
        dimensions: d.
    """

    padding: Padding = "zeros"
    divisor = 16

    def __init__(
        self, dimensions: int, inner: nn.Module, estimate: Voxels, integrate: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        """Of a network.

        Args:
            dimensions: d.
            inner: whose weights are learnt.
            estimate: moving and fixed images to a field or velocity (B, d, *N), voxels.
            integrate: velocity to field, both voxels; None where a field is estimated.
        """
        super().__init__()
        self.dimensions, self.inner = dimensions, inner
        self._estimate, self._integrate = estimate, integrate

    def forward(self, moving: Tensor, fixed: Tensor) -> Estimate:
        """Fields of pairs, normalised."""
        size = moving.shape[2:]
        velocity = self._estimate(padded(moving, self.divisor), padded(fixed, self.divisor)).float()
        said = cropped(to_normalised(velocity), size)
        if self._integrate is None:
            return Estimate(said, said)
        return Estimate(cropped(to_normalised(self._integrate(velocity)), size), said)


def voxelmorph(dimensions: int, *, diffeomorphic: bool) -> Peer:
    """VoxelMorph's network for pairs (Balakrishnan et al., 2019; Dalca et al., 2019), version 0.3."""
    with _quiet():
        from voxelmorph.nn.models import VxmPairwise

        inner = VxmPairwise(dimensions, 1, 1, nb_features=FEATURES, integration_steps=STEPS if diffeomorphic else 0)

    def estimate(moving: Tensor, fixed: Tensor) -> Tensor:
        found: Tensor = inner(moving, fixed, return_field_type="velocity")
        return found

    return Peer(dimensions, inner, estimate, inner.velocity_field_integrator if diffeomorphic else None)


def localnet(dimensions: int) -> Peer:
    """MONAI's LocalNet (Hu et al., 2018), which begins with no movement."""
    from monai.networks.nets import LocalNet

    inner = LocalNet(
        spatial_dims=dimensions,
        in_channels=2,
        num_channel_initial=FEATURES[0],
        extract_levels=LEVELS,
        out_channels=dimensions,
        out_activation=None,
        out_kernel_initializer="zeros",
    )
    return Peer(dimensions, inner, _together(inner))


def monai_voxelmorph(dimensions: int) -> Peer:
    """MONAI's VoxelMorph with the channels of the paper; its last layer begins as VoxelMorph's does, near nought."""
    with _quiet():
        from monai.networks.nets import VoxelMorph, VoxelMorphUNet

        backbone = VoxelMorphUNet(dimensions, 2, 32, (16, 32, 32, 32, 32, 32), (16, 16))
        inner = VoxelMorph(backbone, 0, spatial_dims=dimensions)
    last = [layer for layer in backbone.modules() if isinstance(layer, nn.Conv2d | nn.Conv3d)][-1]
    for weights in last.parameters():
        nn.init.normal_(weights, std=1e-5)
    return Peer(dimensions, inner, _together(inner.backbone))


def _together(network: nn.Module) -> Voxels:
    def estimate(moving: Tensor, fixed: Tensor) -> Tensor:
        found: Tensor = network(cat([moving, fixed], dim=1))
        return found

    return estimate


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what MONAI says of its compiled parts, which its wheels lack."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


LEARNED: dict[str, Callable[[int], Any]] = {
    VOXELMORPH: lambda dimensions: voxelmorph(dimensions, diffeomorphic=False),
    VOXELMORPH_DIFF: lambda dimensions: voxelmorph(dimensions, diffeomorphic=True),
    LOCALNET: localnet,
    MONAI: monai_voxelmorph,
}
