"""Fourier-Net+: images lose their high frequencies before a smaller network sees them, K times in a row.

Jia et al., "Fourier-Net+" (arXiv 2307.02997). Each of the K networks, whose weights are their own, sees the original
moving image warped by what was found so far, and adds to that.
"""

from __future__ import annotations

from torch import Tensor, nn

from shared_models.bounds import require_sizes
from shared_models.registration.band_limited import band_limited
from shared_models.registration.fields import Padding, compose, warp
from shared_models.registration.network import RegistrationNetwork, require_scale, require_truth_values
from shared_models.registration.paths import CONVOLUTIONS, ContractingPath, ExpandingPath, Expansion

CASCADES = range(1, 7)  # the published are 1 to 4
PADDINGS: dict[int, Padding] = {2: "border", 3: "zeros"}  # of warps between networks, as published


class FourierNetPlus(RegistrationNetwork):
    """Pairs of images to fields, by K small networks on images of half the size."""

    def __init__(
        self,
        dimensions: int = 3,
        channels: int = 16,
        cascades: int = 1,
        diffeomorphic: bool = False,
        skip: bool = False,
        scale: int = 1,
        coarseness: int = 1,
    ) -> None:
        """With c channels at the first level of each network.

        Args:
            dimensions: d.
            channels: c.
            cascades: K.
            diffeomorphic: whether what the cascade finds is a velocity, to be integrated once at its end.
            skip: whether the contracting path's features are seen again and patches are of half the size instead of
                a quarter (the authors' second release, "80->80").
            scale: by what patches are multiplied (`FourierNet`); 1 as published.
            coarseness: see `RegistrationNetwork`; 1 as published.

        Raises:
            TypeError, ValueError: see `RegistrationNetwork`; `cascades` and `scale` likewise.
        """
        super().__init__(dimensions, channels, diffeomorphic, PADDINGS.get(dimensions, "zeros"), coarseness)
        require_sizes("a registration network", cascades=(cascades, CASCADES))
        require_truth_values(skip=skip)
        self.cascade = nn.ModuleList(
            PatchNetwork(dimensions, channels, skip=skip, scale=scale) for _ in range(cascades)
        )

    def estimate(self, moving: Tensor, fixed: Tensor) -> Tensor:
        """(B, d, *N) field or velocity, normalised, of images whose size 16 divides."""
        size = moving.shape[2:]
        half = [n // 2 for n in size]
        target = band_limited(fixed, half)
        first, *others = self.cascade
        field = band_limited(first(band_limited(moving, half), target), size)
        for network in others:
            seen = band_limited(warp(moving, field, self.padding), half)
            field = compose(field, band_limited(network(seen, target), size), self.padding)
        return field


class PatchNetwork(nn.Module):
    """From two images (B, 1, *N/2) without high frequencies to a patch S of the field."""

    def __init__(self, dimensions: int, channels: int, *, skip: bool, scale: int) -> None:
        super().__init__()
        self.scale = require_scale(scale)
        c = channels
        self.kept = (0, 1, 2) if skip else ()
        self.contracting = ContractingPath(dimensions, 2, [(c, c), (2 * c, 2 * c), (4 * c, 4 * c), (8 * c, 4 * c)])
        self.expanding = ExpandingPath(dimensions, _skipping(c) if skip else _plain(c))
        self.patch = CONVOLUTIONS[dimensions](c, dimensions, 3, padding=1, bias=False)

    def forward(self, moving: Tensor, fixed: Tensor) -> Tensor:
        """(B, d, *N/4), or (B, d, *N/2) of a network that skips."""
        features = self.contracting([moving, fixed], self.kept)
        found: Tensor = self.patch(self.expanding(features))
        return found if self.scale == 1 else found * self.scale


def _plain(c: int) -> list[Expansion]:
    return [Expansion(4 * c, 0, (4 * c, 2 * c)), Expansion(2 * c, 0, (c,))]


def _skipping(c: int) -> list[Expansion]:
    beside = [Expansion(4 * c, 4 * c, (4 * c, 2 * c)), Expansion(2 * c, 2 * c, (2 * c, 2 * c))]
    return [*beside, Expansion(2 * c, c, (2 * c, c))]
