"""The project's methods in the contest of registration: networks, and one pair alone. A new one gets its line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import torch

from benchmarks.registration_scores import Floats
from shared_models.registration.demons import Demons, register_by_demons
from shared_models.registration.descent import Effort
from shared_models.registration.fields import to_voxels
from shared_models.registration.first_weights import ready_to_learn
from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.fourier_net_plus import FourierNetPlus
from shared_models.registration.network import RegistrationNetwork
from shared_models.registration.per_pair import register_by_patch
from shared_models.registration.registration_loss import RegistrationLoss

CHANNELS = 8  # of the paper's small network
SCALE = 16  # of patches, in 3D: they learn as fast as the rest
COARSENESS = 2  # of the grid on which velocities are integrated
DIFFEOMORPHIC = "Diff-"
PATCH, HALF_PATCH = "Patch of a pair alone, diffeomorphic", "Patch of a pair alone, at half its size"
PATCH_CHOICES = [
    {"similarity": similarity, "weight": weight}
    for similarity, weight in (*product(("mse",), (0.02, 0.05, 0.1)), *product(("local_ncc",), (0.5, 2.0)))
]
FORCES, SMOOTH_FORCES = "Demons by products", "Demons by products, diffeomorphic"
HALF_FORCES = "Demons by products, at half the size"
ALONE = (PATCH, HALF_PATCH, FORCES, SMOOTH_FORCES, HALF_FORCES)
FORCES_CHOICES = [
    {"window": window, "smoothing": smoothing} for window, smoothing in product((0.0, 5.0), (0.8, 1.0, 1.5))
]
EFFORT, HALF_EFFORT = Effort(60), Effort(12, 12)
HALF_RATE = 0.4  # voxels: few steps are long ones


def _fourier_net(dimensions: int, *, diffeomorphic: bool) -> RegistrationNetwork:
    scale = SCALE if dimensions == 3 else None
    return ready_to_learn(FourierNet(dimensions, CHANNELS, diffeomorphic, scale, COARSENESS))


def _fourier_net_plus(dimensions: int, cascades: int = 1, *, diffeomorphic: bool) -> RegistrationNetwork:
    network = FourierNetPlus(dimensions, CHANNELS, cascades, diffeomorphic, scale=SCALE, coarseness=COARSENESS)
    return ready_to_learn(network)


OURS: dict[str, Callable[[int], RegistrationNetwork]] = {
    "Fourier-Net": lambda dimensions: _fourier_net(dimensions, diffeomorphic=False),
    "Diff-Fourier-Net": lambda dimensions: _fourier_net(dimensions, diffeomorphic=True),
    "Fourier-Net+": lambda dimensions: _fourier_net_plus(dimensions, diffeomorphic=False),
    "Diff-Fourier-Net+": lambda dimensions: _fourier_net_plus(dimensions, diffeomorphic=True),
    "4x Diff-Fourier-Net+": lambda dimensions: _fourier_net_plus(dimensions, 4, diffeomorphic=True),
}


LONGER = {
    f"{name}, {times} times the steps": times
    for name, times in (("Fourier-Net", 4), ("Diff-Fourier-Net", 4), ("Fourier-Net+", 8))
}
OURS |= {name: OURS[name.partition(",")[0]] for name in LONGER}  # which take no longer to learn than rivals do


def by_patch(moving: Floats, fixed: Floats, *, similarity: str, weight: float) -> Floats:
    """The integral of a velocity whose patch is sought on all sizes, without a training set: (d, *N) voxels."""
    found = register_by_patch(*_pair(moving, fixed), _loss(similarity, weight), diffeomorphic=True, effort=EFFORT)
    return np.asarray(to_voxels(found.field)[0].numpy())


def by_half_patch(moving: Floats, fixed: Floats, *, similarity: str, weight: float) -> Floats:
    """A field whose patch, a quarter of the size, is sought in a few steps on images of a quarter and a half of it."""
    found = register_by_patch(
        *_pair(moving, fixed),
        _loss(similarity, weight),
        sizes=(4, 2),
        coarseness=2,
        rate=HALF_RATE,
        effort=HALF_EFFORT,
    )
    return np.asarray(to_voxels(found.field)[0].numpy())


def by_demons(moving: Floats, fixed: Floats, *, how: Demons | None = None, window: float, smoothing: float) -> Floats:
    """The field that forces end at, without a training set: (d, *N) voxels."""
    how = replace(how or Demons(), window=window, smoothing=smoothing)
    found = register_by_demons(*_pair(moving, fixed), how)
    return np.asarray(to_voxels(found.field)[0].numpy())


def _pair(moving: Floats, fixed: Floats) -> tuple[torch.Tensor, torch.Tensor]:
    one, other = (torch.from_numpy(image)[None, None] for image in (moving, fixed))
    return one, other


def _loss(similarity: str, weight: float) -> RegistrationLoss:
    return RegistrationLoss(similarity, weight)
