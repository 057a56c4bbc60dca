"""Fourier-Net has the sizes and the cost that its authors' has, and numbers that do not change."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from shared_models.registration.fields import integrate
from shared_models.registration.fourier_net import FourierNet
from tests.shared_models.registration.fourier_reference import by_transforms

SIZES = {2: (160, 192), 3: (160, 192, 224)}


@pytest.mark.parametrize(
    ("dimensions", "channels", "parameters", "giga"),
    [
        (2, 8, 357_408, 0.212),
        (2, 16, 1_427_376, 0.840),
        (2, 48, 12_833_008, 7.50),
        (3, 8, 1_050_800, 42.7),
        (3, 16, 4_198_352, 164.4),
        (3, 48, 37_756_240, 1442.6),
    ],
)
def test_it_is_as_large_and_as_dear_as_published(dimensions: int, channels: int, parameters: int, giga: float) -> None:
    with torch.device("meta"):
        network = FourierNet(dimensions, channels)
        images = torch.zeros((1, 2, *SIZES[dimensions]))
    assert sum(part.numel() for part in network.parameters()) == parameters
    with FlopCounterMode(display=False) as counter:
        network.patch(network.expanding(network.contracting([images], (2, 3))))
    assert counter.get_total_flops() / 2e9 == pytest.approx(giga, rel=3e-3)  # an addition and a multiplication


@pytest.mark.parametrize(("dimensions", "factor"), [(2, 64), (3, 1)])
def test_the_field_is_the_patch_through_the_decoder(dimensions: int, factor: float) -> None:
    torch.manual_seed(0)
    network = FourierNet(dimensions, 1)
    patches: list[torch.Tensor] = []
    network.patch.register_forward_hook(lambda _layer, _given, out: patches.append(out))
    size = (16, 32, 48)[:dimensions]
    moving, fixed = torch.rand((2, 2, 1, *size))
    field = network(moving, fixed).field
    assert patches[0].shape == (2, dimensions, *(n // 4 for n in size))
    assert (field - factor * by_transforms(patches[0], size)).abs().max() < 1e-5


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_scale_multiplies_the_field(dimensions: int) -> None:
    usual, other = FourierNet(dimensions, 1), FourierNet(dimensions, 1, scale=5)
    other.load_state_dict(usual.state_dict())
    moving, fixed = torch.rand((2, 1, 1, *[16] * dimensions), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(other(moving, fixed).field, usual(moving, fixed).field * (5 / usual.scale))
    with pytest.raises(ValueError, match="scale 0"):
        FourierNet(dimensions, 1, scale=0)


def test_diffeomorphic_is_the_same_network_whose_field_is_a_velocity() -> None:
    torch.manual_seed(0)
    plain, other = FourierNet(2, 2), FourierNet(2, 2, diffeomorphic=True)
    other.load_state_dict(plain.state_dict())
    moving, fixed = torch.rand((2, 1, 1, 32, 16))
    found = other(moving, fixed)
    assert torch.equal(found.regularised, plain(moving, fixed).field)
    assert torch.equal(found.field, integrate(found.regularised))


def test_golden_numbers() -> None:
    found = {}
    for dimensions in (2, 3):
        torch.manual_seed(0)
        network = FourierNet(dimensions, 2)
        line = torch.linspace(0, 1, 16)
        moving = torch.stack(torch.meshgrid([line] * dimensions, indexing="ij")).prod(dim=0)[None, None]
        field = network(moving, moving.flip(2)).field
        found[dimensions] = [field.mean().item(), field.std().item(), field.flatten()[7].item()]
    assert found[2] == pytest.approx([-0.00478046, 0.03346259, -0.01252359], abs=1e-6)
    assert found[3] == pytest.approx([3.07e-06, 0.00018493, 0.00015733], abs=1e-8)
