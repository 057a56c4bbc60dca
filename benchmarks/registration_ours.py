"""The project's networks in the contest of registration; here a new one gets its line."""

from __future__ import annotations

from collections.abc import Callable

from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.fourier_net_plus import FourierNetPlus
from shared_models.registration.network import RegistrationNetwork

CHANNELS = 8  # of the paper's small network
DIFFEOMORPHIC = "Diff-"

OURS: dict[str, Callable[[int], RegistrationNetwork]] = {
    "Fourier-Net": lambda dimensions: FourierNet(dimensions, CHANNELS),
    "Diff-Fourier-Net": lambda dimensions: FourierNet(dimensions, CHANNELS, diffeomorphic=True),
    "Fourier-Net+": lambda dimensions: FourierNetPlus(dimensions, CHANNELS),
    "Diff-Fourier-Net+": lambda dimensions: FourierNetPlus(dimensions, CHANNELS, diffeomorphic=True),
    "4x Diff-Fourier-Net+": lambda dimensions: FourierNetPlus(dimensions, CHANNELS, 4, diffeomorphic=True),
}
