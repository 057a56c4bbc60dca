"""Fourier-Net+ has the sizes and the cost that its authors' has, and each network of a cascade adds to the last."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from shared_models.registration.fields import integrate, warp
from shared_models.registration.fourier_net_plus import FourierNetPlus
from tests.shared_models.registration.fourier_reference import by_transforms

SIZES = {2: (160, 192), 3: (160, 192, 224)}


@pytest.mark.parametrize(
    ("dimensions", "channels", "cascades", "skip", "parameters", "giga"),
    [
        (2, 8, 1, False, 75_429, 0.0333),
        (2, 8, 4, False, 301_716, 0.133),
        (2, 16, 1, False, 300_477, 0.131),
        (2, 16, 4, False, 1_201_908, 0.522),
        (3, 8, 1, False, 220_733, 4.76),
        (3, 8, 2, False, 441_466, 9.51),
        (3, 8, 4, False, 882_932, 19.0),
        (3, 16, 1, False, 880_109, 18.1),
        (3, 16, 2, False, 1_760_218, 36.3),
        (3, 16, 4, False, 3_520_436, 72.6),
        (3, 8, 1, True, 281_601, 19.6),
        (3, 8, 4, True, 1_126_404, 78.3),
        (3, 16, 1, True, 1_123_441, 76.5),
        (3, 16, 4, True, 4_493_764, 305.9),
    ],
)
def test_it_is_as_large_and_as_dear_as_published(
    dimensions: int, channels: int, cascades: int, skip: bool, parameters: int, giga: float
) -> None:
    with torch.device("meta"):
        network = FourierNetPlus(dimensions, channels, cascades, skip=skip)
        images = torch.zeros((1, 1, *(n // 2 for n in SIZES[dimensions])))
    assert sum(part.numel() for part in network.parameters()) == parameters
    with FlopCounterMode(display=False) as counter:
        for each in network.cascade:
            each(images, images)
    assert counter.get_total_flops() / 2e9 == pytest.approx(giga, rel=5e-3)


def by_hand(network: FourierNetPlus, moving: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
    """The cascade with the transforms as they are written down."""
    size, padding = moving.shape[2:], network.padding
    half = [n // 2 for n in size]
    low = by_transforms(fixed, half).float()
    field = None
    for each in network.cascade:
        seen = moving if field is None else warp(moving, field, padding)
        more = by_transforms(each(by_transforms(seen, half).float(), low), size).float()
        field = more if field is None else warp(field, more, padding) + more
    assert field is not None
    return field


@pytest.mark.parametrize(("dimensions", "skip"), [(2, False), (3, False), (2, True), (3, True)])
def test_a_cascade_by_hand(dimensions: int, skip: bool) -> None:
    torch.manual_seed(0)
    network = FourierNetPlus(dimensions, 2, cascades=3, skip=skip)
    with torch.no_grad():
        for each in network.cascade:
            each.get_submodule("patch").get_parameter("weight").mul_(20)  # so that warps are seen
    moving, fixed = torch.rand((2, 2, 1, *(16, 32, 16)[:dimensions]))
    field = network(moving, fixed).field
    assert field.abs().max() > 0.01
    assert torch.allclose(field, by_hand(network, moving, fixed), atol=1e-5)


def test_a_scale_multiplies_the_field() -> None:
    usual, other = FourierNetPlus(2, 1), FourierNetPlus(2, 1, scale=5)
    other.load_state_dict(usual.state_dict())
    moving, fixed = torch.rand((2, 1, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(other(moving, fixed).field, 5 * usual(moving, fixed).field)


def test_patches_are_a_quarter_of_the_size_and_half_with_skips() -> None:
    image = torch.rand((1, 1, 16, 24))  # half of the size
    for skip, size in ((False, (8, 12)), (True, (16, 24))):
        network = FourierNetPlus(2, 1, skip=skip)
        assert network.cascade[0](image, image).shape == (1, 2, *size)


def test_a_velocity_is_integrated_once_at_the_end() -> None:
    torch.manual_seed(0)
    plain, other = FourierNetPlus(2, 2, cascades=2), FourierNetPlus(2, 2, cascades=2, diffeomorphic=True)
    other.load_state_dict(plain.state_dict())
    moving, fixed = torch.rand((2, 1, 1, 16, 32))
    found = other(moving, fixed)
    assert torch.equal(found.regularised, plain(moving, fixed).field)
    assert torch.equal(found.field, integrate(found.regularised))


def test_the_fixed_image_loses_its_high_frequencies_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from shared_models.registration import fourier_net_plus

    asked: list[torch.Tensor] = []
    known = fourier_net_plus.band_limited

    def counted(values: torch.Tensor, size: list[int]) -> torch.Tensor:
        asked.append(values)
        return known(values, size)

    monkeypatch.setattr(fourier_net_plus, "band_limited", counted)
    moving, fixed = torch.rand((2, 1, 1, 16, 16))
    FourierNetPlus(2, 1, cascades=3)(moving, fixed)
    assert sum(values is fixed for values in asked) == 1
    assert len(asked) == 1 + 2 * 3


def test_golden_numbers() -> None:
    found = {}
    for dimensions in (2, 3):
        torch.manual_seed(0)
        network = FourierNetPlus(dimensions, 2, cascades=2)
        line = torch.linspace(0, 1, 16)
        moving = torch.stack(torch.meshgrid([line] * dimensions, indexing="ij")).prod(dim=0)[None, None]
        field = network(moving, moving.flip(2)).field
        found[dimensions] = [field.mean().item(), field.std().item(), field.flatten()[7].item()]
    assert found[2] == pytest.approx([-0.000678, 0.00170575, -0.00323123], abs=1e-7)
    assert found[3] == pytest.approx([0.00015764, 0.00020371, 8.142e-05], abs=1e-8)
