"""What all networks of registration refuse, and how sizes that do not divide are met."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch

from shared_models.registration.fields import integrate, to_voxels
from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.fourier_net_plus import FourierNetPlus
from shared_models.registration.network import RegistrationNetwork, register
from shared_models.registration.padding import padded

torch.manual_seed(0)
NETWORKS: dict[str, RegistrationNetwork] = {
    "2D": FourierNet(2, 2),
    "3D": FourierNet(3, 2, diffeomorphic=True),
    "2D plus": FourierNetPlus(2, 2, cascades=2, diffeomorphic=True),
    "3D plus": FourierNetPlus(3, 2, cascades=2, skip=True),
}


def pairs(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.rand(shape, generator=random), torch.rand(shape, generator=random)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sides", [(16, 32, 16), (17, 30, 19), (2, 3, 5)])
def test_any_size_and_any_batch(name: str, sides: tuple[int, ...]) -> None:
    network = NETWORKS[name]
    size = sides[: network.dimensions]
    moving, fixed = pairs(2, 1, *size)
    with torch.no_grad():
        found = network(moving, fixed)
        alone = [network(moving[k : k + 1], fixed[k : k + 1]) for k in range(2)]
    assert found.field.shape == found.regularised.shape == (2, network.dimensions, *size)
    assert torch.allclose(found.field, torch.cat([each.field for each in alone]), atol=1e-5)
    assert found.field.abs().max() > 0
    assert torch.equal(found.field, found.regularised) is not network.diffeomorphic


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_registered_is_what_is_learnt(name: str) -> None:
    network = NETWORKS[name]
    moving, fixed = pairs(1, 1, *(17, 20, 18)[: network.dimensions])
    assert torch.allclose(register(network, moving, fixed), network(moving, fixed).field, atol=1e-6)


@pytest.mark.parametrize("kind", [FourierNet, FourierNetPlus])
def test_a_velocity_is_integrated_on_the_grid_that_was_asked_for(kind: Callable[..., RegistrationNetwork]) -> None:
    network = kind(2, 2, diffeomorphic=True, coarseness=4)
    found = network(*pairs(1, 1, 32, 48))
    torch.testing.assert_close(found.field, integrate(found.regularised, coarseness=4))
    assert not torch.allclose(found.field, integrate(found.regularised), atol=1e-7)
    with pytest.raises(ValueError, match="coarseness 9"):
        kind(2, 2, coarseness=9)


@pytest.mark.parametrize("name", NETWORKS)
def test_with_products_of_bfloat16_positions_are_still_of_single_precision(name: str) -> None:
    network = NETWORKS[name]
    images = pairs(1, 1, *[48] * network.dimensions)
    with torch.no_grad():
        usual = network(*images)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(*images)
    assert found.field.dtype == found.regularised.dtype == torch.float32
    assert to_voxels(found.field - usual.field).abs().max() < 0.05 * to_voxels(usual.field).abs().max()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_is_learnt(name: str) -> None:
    network = NETWORKS[name]
    moving, fixed = pairs(1, 1, *[32] * network.dimensions)
    weights = [weight for weight in network.parameters() if weight.ndim > 1]
    slopes = torch.autograd.grad(network(moving, fixed).field.square().sum(), weights)
    assert all(slope.isfinite().all() and slope.abs().max() > 0 for slope in slopes)


def test_a_padded_pair_moves_by_as_many_voxels() -> None:
    network = NETWORKS["2D"]
    moving, fixed = pairs(1, 1, 20, 27)
    whole = to_voxels(register(network, padded(moving, 16), padded(fixed, 16)))
    assert torch.allclose(to_voxels(register(network, moving, fixed)), whole[:, :, 6:26, 2:29], atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_last_layer_of_nothing_moves_nothing(name: str) -> None:
    network = copy.deepcopy(NETWORKS[name])
    for key, weight in network.named_parameters():
        if key.endswith("patch.weight"):
            torch.nn.init.zeros_(weight)
    moving, fixed = pairs(1, 1, *[16] * network.dimensions)
    assert register(network, moving, fixed).abs().max() == 0


def test_images_without_contrast_are_taken() -> None:
    for value in (0.0, 1.0):
        flat = torch.full((1, 1, 16, 16), value)
        assert register(NETWORKS["2D"], flat, flat).isfinite().all()


@pytest.mark.parametrize(
    ("moving", "fixed", "said"),
    [
        ((1, 1, 16, 16), (1, 1, 16, 16, 16), "the moving image has 2 dimensions, the fixed one 3"),
        ((1, 1, 16, 16, 16), (1, 1, 16, 16, 16), "images of 3 dimensions, and a network of 2"),
        ((1, 1, 16, 16), (1, 1, 16, 17), "are 1x1x16x16 and 1x1x16x17: bring them to one grid"),
        ((2, 1, 16, 16), (1, 1, 16, 16), "are 2x1x16x16 and 1x1x16x16"),
        ((1, 2, 16, 16), (1, 2, 16, 16), "one channel"),
        ((1, 1, 1, 16), (1, 1, 1, 16), "2 voxels a side at least"),
    ],
)
def test_what_is_no_pair(moving: tuple[int, ...], fixed: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        register(NETWORKS["2D"], torch.zeros(moving), torch.zeros(fixed))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["moving", "fixed"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers(name: str, value: float) -> None:
    images = {"moving": torch.zeros((1, 1, 16, 16)), "fixed": torch.zeros((1, 1, 16, 16))}
    images[name][0, 0, 3, 4] = value
    with pytest.raises(ValueError, match=f"the {name} image has values that are no numbers"):
        register(NETWORKS["2D"], **images)
