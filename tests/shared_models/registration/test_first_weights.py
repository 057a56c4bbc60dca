"""A new network hears its images at its end, moves next to nothing, and learns sooner than with other weights."""

from __future__ import annotations

import pytest
import torch

from shared_models.registration.fields import to_voxels
from shared_models.registration.first_weights import ready_to_learn
from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.fourier_net_plus import FourierNetPlus
from shared_models.registration.network import RegistrationNetwork, register
from shared_models.registration.registration_loss import RegistrationLoss
from tests.shared_models.registration.textures import batched, texture

MAKERS = {
    "Fourier-Net": lambda: FourierNet(2, 4),
    "Fourier-Net+": lambda: FourierNetPlus(2, 4, 2),
    "Fourier-Net, 3D": lambda: FourierNet(3, 4),
}


def made(name: str, seed: int = 1) -> RegistrationNetwork:
    torch.manual_seed(seed)
    network: RegistrationNetwork = MAKERS[name]()
    return network


def pair(dimensions: int) -> tuple[torch.Tensor, torch.Tensor]:
    size = (32,) * dimensions
    one, other = (batched(texture(size, seed)) for seed in (1, 2))
    return one, other


def heard(network: RegistrationNetwork) -> float:
    """How much of a field depends on what the images show, over how large it is."""
    moving, fixed = pair(network.dimensions)
    said, of_others = register(network, moving, fixed), register(network, fixed, moving)
    return float((said - of_others).std() / (said.abs().mean() + 1e-12))


@pytest.mark.parametrize("name", MAKERS)
def test_more_of_the_images_is_heard(name: str) -> None:
    assert heard(ready_to_learn(made(name))) > 3 * heard(made(name))


@pytest.mark.parametrize("name", MAKERS)
def test_next_to_nothing_moves(name: str) -> None:
    network = ready_to_learn(made(name))
    moving, fixed = pair(network.dimensions)
    assert float(to_voxels(register(network, moving, fixed)).abs().max()) < 0.5


def test_a_pair_is_learnt_sooner() -> None:
    moving, fixed = pair(2)
    loss = RegistrationLoss("mse", 1e-3)

    def after(network: RegistrationNetwork, steps: int = 25) -> float:
        optimiser = torch.optim.Adam(network.parameters(), 1e-3)
        for _ in range(steps):
            value = loss(network(moving, fixed), moving, fixed, network.padding)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
        return float(value.detach())

    assert after(ready_to_learn(made("Fourier-Net"))) < 0.95 * after(made("Fourier-Net"))


def test_the_same_seed_draws_the_same() -> None:
    one, other = (ready_to_learn(made("Fourier-Net+", 5)) for _ in range(2))
    assert made("Fourier-Net+") is not one
    torch.manual_seed(7)
    first = ready_to_learn(one)
    torch.manual_seed(7)
    for mine, theirs in zip(first.parameters(), ready_to_learn(other).parameters(), strict=True):
        assert torch.equal(mine, theirs)
