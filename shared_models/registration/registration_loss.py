"""What registration is learnt by without labels: L = sim(fixed, moving ∘ (id + u)) + λ R.

Fourier-Net, Jia et al. (AAAI 2023). R is of what is regularised: the velocity where there is one, otherwise the field.
Published are 10⁻² for λ with `mse` of 2D images, and 5 with `local_ncc` of 3D ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from shared_models.registration.fields import Padding, warp
from shared_models.registration.network import Estimate
from shared_models.registration.similarity import similarity_named
from shared_models.registration.smoothness import smoothness


@dataclass(frozen=True)
class RegistrationLoss:
    """L of pairs.

    Attributes:
        similarity: name of one of `similarity.SIMILARITIES`.
        weight: λ.

    Raises:
        ValueError: no such similarity, or a weight below 0.
    """

    similarity: str
    weight: float

    def __post_init__(self) -> None:
        similarity_named(self.similarity)
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"smoothness of weight {self.weight}: 0 or more")

    def __call__(self, found: Estimate, moving: Tensor, fixed: Tensor, padding: Padding) -> Tensor:
        """L, a scalar.

        Args:
            found: of the pairs.
            moving: (B, 1, *N).
            fixed: (B, 1, *N).
            padding: what lies outside the moving images.
        """
        return self.unlikeness(found.field, moving, fixed, padding) + self.weight * smoothness(found.regularised)

    def unlikeness(self, field: Tensor, moving: Tensor, fixed: Tensor, padding: Padding) -> Tensor:
        """How unlike fixed images are to moving ones, warped; a scalar."""
        return similarity_named(self.similarity)(fixed, warp(moving, field, padding))
