"""Matrix products do what shifted and padded transforms do."""

from __future__ import annotations

import math

import pytest
import torch

from shared_models.registration.band_limited import band_limited
from tests.shared_models.registration.fourier_reference import by_transforms

UP = [((4, 6), (16, 24)), ((4, 6, 8), (16, 24, 32)), ((5, 7), (20, 21)), ((4, 5), (9, 20)), ((3,), (12,))]
DOWN = [((16, 24), (8, 12)), ((12, 10, 8), (6, 5, 4)), ((9, 11), (4, 5)), ((8, 12), (5, 3)), ((6, 6), (6, 6))]


@pytest.mark.parametrize(("before", "after"), UP + DOWN)
def test_it_is_what_the_transforms_give(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    values = torch.randn((2, 3, *before), generator=torch.Generator().manual_seed(0))
    found = band_limited(values, after)
    assert found.shape == (2, 3, *after)
    assert found.dtype == torch.float32
    assert (found - by_transforms(values, after)).abs().max() < 1e-5


def test_the_unpaired_bins_of_two_axes_meet() -> None:
    """Where rows and columns alternate the corner bin is alone: the product of both maps' imaginary parts counts."""
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0])
    values = (signs[:, None] * signs).view(1, 1, 4, 4)
    found = band_limited(values, (16, 16))[0, 0]
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    expected = (math.pi / 4 * (rows + columns)).cos() / 16  # not cos · cos
    assert torch.allclose(found, expected, atol=1e-6)


def test_the_decoder_of_a_band_limited_field_is_exact() -> None:
    def field(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        return 0.3 + (2 * math.pi * rows).sin() * (4 * math.pi * columns + 0.5).cos()

    def sampled(side: int) -> torch.Tensor:
        line = torch.arange(side) / side
        return field(*torch.meshgrid(line, line, indexing="ij"))[None, None]

    assert torch.allclose(band_limited(sampled(8), (32, 32)) * 16, sampled(32), atol=1e-5)
    assert torch.allclose(band_limited(sampled(32), (8, 8)) / 16, sampled(8), atol=1e-5)


def test_a_batch_is_its_items() -> None:
    values = torch.randn((3, 2, 4, 6), generator=torch.Generator().manual_seed(1))
    each = torch.cat([band_limited(one[None], (8, 12)) for one in values])
    assert torch.allclose(band_limited(values, (8, 12)), each, atol=1e-7)


@pytest.mark.parametrize("size", [(8, 12), (3, 4)])
def test_its_slope_is_its_transpose(size: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(2)
    values = torch.randn((1, 1, 4, 6), generator=random, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: band_limited(given, size), (values,))


def test_sizes_first_met_without_gradients_may_be_learnt_with() -> None:
    with torch.inference_mode():
        band_limited(torch.ones((1, 1, 10, 14)), (20, 28))
    values = torch.ones((1, 1, 10, 14), requires_grad=True)
    band_limited(values, (20, 28)).sum().backward()
    assert values.grad is not None


def test_sizes_go_with_the_axes() -> None:
    with pytest.raises(ValueError, match="zip"):
        band_limited(torch.ones((1, 1, 4, 4)), (8, 8, 8))
