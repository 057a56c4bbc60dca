"""A network asked at the side it learnt at, of pairs of other sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.registration.fields import integrate, to_voxels
from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.per_pair import register_by_weights
from shared_models.registration.registration_loss import RegistrationLoss
from shared_models.registration_expert import diff_fourier_net, mean_field, velocities, velocity_at
from shared_models.scaling import resized
from shared_models.stretched_registration import StretchedRegistration

SIDE = 32


@pytest.fixture(scope="module")
def network() -> FourierNet:
    torch.manual_seed(0)
    found = diff_fourier_net(SIDE, 2)
    assert isinstance(found, FourierNet)
    torch.nn.init.normal_(found.patch.weight, std=0.03)  # so that it moves something
    return found.eval()


def images(*size: int) -> np.ndarray:
    rows, columns = np.indices(size) / np.reshape(size, (2, 1, 1))
    moving = 127 + 120 * np.sin(9 * rows) * np.cos(7 * columns)
    return np.stack([moving, np.roll(moving, 3, 1)]).astype(np.uint8)


def shown(pair: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    moving, fixed = (torch.from_numpy(image)[None, None].float() / 255 for image in pair)
    return moving, fixed


def test_at_its_own_side_it_is_the_network(network: FourierNet) -> None:
    pair = shown(images(SIDE, SIDE))
    with torch.no_grad():
        found, own = StretchedRegistration(network, SIDE)(*pair), network(*pair)
    torch.testing.assert_close(found.regularised, own.regularised)
    torch.testing.assert_close(found.field, own.field)


@pytest.mark.parametrize("size", [(96, 80), (20, 50)])
def test_it_says_what_a_site_says_of_the_same_pair(network: FourierNet, size: tuple[int, int]) -> None:
    moving, fixed = images(*size)
    said = velocities(network, resized(moving, SIDE)[None], resized(fixed, SIDE)[None]).velocities
    with torch.no_grad():
        found = StretchedRegistration(network, SIDE)(*shown(np.stack([moving, fixed])))
    assert found.field.shape == (1, 2, *size)
    torch.testing.assert_close(found.field, integrate(found.regularised))
    field = mean_field([velocity_at(said, size)], [1.0])
    apart = np.abs(to_voxels(found.field)[0].numpy() - field)
    assert apart.max() < 0.05 * np.abs(field).max()  # whose grey levels are whole numbers, once they are resized
    assert np.abs(field).max() > 1


def test_its_weights_come_nearer_to_a_pair(network: FourierNet) -> None:
    pair, loss = shown(images(40, 48)), RegistrationLoss("mse", 0.01)
    asked = StretchedRegistration(network, SIDE)
    before = {name: weights.clone() for name, weights in asked.state_dict().items()}
    with torch.no_grad():
        first = loss(asked(*pair), *pair, "zeros")
    found = register_by_weights(asked, *pair, loss, rate=1e-3)
    assert loss(found, *pair, "zeros") < first
    assert all(torch.equal(before[name], weights) for name, weights in asked.state_dict().items())


def test_other_pairs_are_refused(network: FourierNet) -> None:
    with pytest.raises(ValueError, match="bring them to one grid first"):
        StretchedRegistration(network, SIDE)(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 9))
