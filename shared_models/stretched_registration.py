"""A network of registration that learnt at one side, asked of pairs of any size: these are stretched to that side."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from shared_models.registration.network import RegistrationNetwork
from shared_models.registration_expert import velocity_at


class StretchedRegistration(RegistrationNetwork):
    """Pairs in 2D to integrals of velocities.

    Attributes:
        network: whose weights these are.
        side: pixels, at which it is asked.
    """

    divisor = 1  # nothing is padded: the network's own side is met by stretching

    def __init__(self, network: RegistrationNetwork, side: int) -> None:
        """Of a diffeomorphic network in 2D, and the side it learnt at."""
        super().__init__(2, 1, True, network.padding)  # there are no channels beside the network's
        self.network, self.side = network, side

    def estimate(self, moving: Tensor, fixed: Tensor) -> Tensor:
        """(B, 2, H, W) velocity, normalised, of images of any size."""
        seen = (
            functional.interpolate(images, (self.side, self.side), mode="bilinear", antialias=True)
            for images in (moving, fixed)
        )
        return velocity_at(self.network(*seen).regularised, moving.shape[2:])
