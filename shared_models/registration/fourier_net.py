"""Fourier-Net: a contracting path, half an expanding one, and a decoder without parameters.

Jia et al., "Fourier-Net: Fast image registration with band-limited deformation" (AAAI 2023, arXiv 2211.16342). The
network ends at a quarter of the size with a patch S of the field, in space; `band_limited` makes the whole field of it.
Diff-Fourier-Net reads the field as a velocity.
"""

from __future__ import annotations

from torch import Tensor

from shared_models.registration.band_limited import band_limited
from shared_models.registration.network import RegistrationNetwork, require_scale
from shared_models.registration.paths import CONVOLUTIONS, ContractingPath, ExpandingPath, Expansion

SCALES = {2: 64, 3: 1}  # of S, as published
KEPT = (2, 3)  # levels that are seen again


class FourierNet(RegistrationNetwork):
    """Pairs of images to fields; the field is of frequencies up to an eighth of a cycle a voxel."""

    def __init__(
        self,
        dimensions: int = 3,
        channels: int = 16,
        diffeomorphic: bool = False,
        scale: int | None = None,
        coarseness: int = 1,
    ) -> None:
        """With c channels at the first level: 8 in the paper's small network, 16, or 48 in the large one.

        Args:
            dimensions: d.
            channels: c.
            diffeomorphic: see `RegistrationNetwork`.
            scale: by what S is multiplied: the decoder divides by 16 in 2D and by 64 in 3D, so that a network learns
                slowly unless something makes up for it. None as published, where that is 64 in 2D, and 1 in 3D.
            coarseness: see `RegistrationNetwork`; 1 as published.

        Raises:
            TypeError, ValueError: see `RegistrationNetwork`; `scale` likewise.
        """
        super().__init__(dimensions, channels, diffeomorphic, "zeros", coarseness)
        self.scale = require_scale(SCALES[dimensions] if scale is None else scale)
        c = channels
        levels = [(c, c), (2 * c, 2 * c), (4 * c, 4 * c), (8 * c, 8 * c), (16 * c, 8 * c)]
        self.contracting = ContractingPath(dimensions, 2, levels)
        steps = [Expansion(8 * c, 8 * c, (8 * c, 4 * c)), Expansion(4 * c, 4 * c, (4 * c, 2 * c))]
        self.expanding = ExpandingPath(dimensions, steps)
        self.patch = CONVOLUTIONS[dimensions](2 * c, dimensions, 3, padding=1, bias=False)

    def estimate(self, moving: Tensor, fixed: Tensor) -> Tensor:
        """(B, d, *N) field or velocity, normalised, of images whose size 16 divides."""
        features = self.contracting([moving, fixed], KEPT)
        patch = self.patch(self.expanding(features)) * self.scale
        return band_limited(patch, moving.shape[2:])
