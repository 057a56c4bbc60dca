"""Losses are least of equals, and can be learnt by on any image."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from shared_models.registration.similarity import (
    band_limited_mse,
    box_means,
    local_ncc,
    mse,
    self_similarity,
    self_similarity_context,
)

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LOSSES: dict[str, tuple[Loss, float]] = {
    "mse": (mse, 0),
    "local_ncc": (local_ncc, -1),
    "self_similarity": (self_similarity, 0),
    "band_limited_mse": (band_limited_mse, 0),
}


def textured(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.rand((2, 1, *size), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(20, 23), (11, 12, 13)])
@pytest.mark.parametrize("name", LOSSES)
def test_equals_are_best(name: str, size: tuple[int, ...]) -> None:
    loss, best = LOSSES[name]
    one, other = textured(*size), textured(*size, seed=1)
    assert loss(one, one).item() == pytest.approx(best, abs=1e-4)
    assert loss(one, other) > loss(one, one) + 1e-3


@pytest.mark.parametrize("size", [(12, 14), (9, 10, 11)])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("value", [0.0, 0.5, 255.0])
def test_images_without_contrast_have_finite_slopes(name: str, size: tuple[int, ...], value: float) -> None:
    loss, _ = LOSSES[name]
    flat = torch.full((1, 1, *size), value, requires_grad=True)
    found = loss(flat, torch.full((1, 1, *size), value))
    (slope,) = torch.autograd.grad(found, flat)
    assert found.isfinite()
    assert slope.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_slopes_are_those_of_the_loss(name: str) -> None:
    loss, _ = LOSSES[name]
    one, other = textured(6, 7).double().requires_grad_(), textured(6, 7, seed=1).double()
    assert torch.autograd.gradcheck(lambda given: loss(given, other), (one,), atol=1e-4, nondet_tol=0)


@pytest.mark.parametrize(("shape", "window"), [((1, 1, 9, 10), 5), ((1, 1, 6, 7, 8), 3)])
def test_local_correlation_as_it_is_written_down(shape: tuple[int, ...], window: int) -> None:
    random = torch.Generator().manual_seed(3)
    one, other = (torch.rand(shape, generator=random).double() for _ in range(2))
    size, half = shape[2:], window // 2
    wide = [torch.nn.functional.pad(image[0, 0], [half] * (2 * len(size))) for image in (one, other)]
    total = 0.0
    for at in torch.cartesian_prod(*(torch.arange(n) for n in size)).tolist():
        seen = [image[tuple(slice(start, start + window) for start in at)] for image in wide]
        left, right = (part - part.mean() for part in seen)
        total += ((left * right).sum() ** 2 / ((left**2).sum() * (right**2).sum() + 1e-5)).item()
    assert local_ncc(one, other, window).item() == pytest.approx(-total / one.numel(), rel=1e-9)


def test_local_correlation_is_blind_to_gain_and_sign() -> None:
    one = textured(24, 24)
    away = (slice(None), slice(None), slice(4, -4), slice(4, -4))  # an offset is seen where nothing lies beside it
    assert local_ncc(one, -3 * one).item() == pytest.approx(-1, abs=1e-4)
    assert local_ncc(one[away], 2 * one[away] + 0.01).item() < -0.99


def test_self_similarity_is_blind_to_gain_and_offset() -> None:
    one = textured(20, 20)
    assert self_similarity(one, 3 * one + 0.7).item() < 1e-8


def test_contexts_are_of_pairs_of_neighbours() -> None:
    flat, solid = self_similarity_context(textured(10, 12)), self_similarity_context(textured(8, 9, 10))
    assert flat.shape == (2, 4, 10, 12)
    assert solid.shape == (2, 12, 8, 9, 10)
    assert flat.amax(dim=1).allclose(torch.ones((2, 10, 12)))  # the most alike pair of every voxel
    assert flat.min() > 0


def test_an_edge_is_told_by_its_context() -> None:
    """Along an upright edge, neighbours on the same side are alike and those across it are not."""
    image = torch.zeros((1, 1, 21, 21))
    image[..., 10:] = 1
    at = self_similarity_context(image, radius=1)[0, :, 10, 10]
    up_left, up_right, down_left, down_right = at.tolist()
    assert up_right == down_right
    assert up_left == down_left
    assert abs(up_right - up_left) > 0.5


def test_fine_detail_counts_for_nothing_without_high_frequencies() -> None:
    rows = torch.arange(32)
    fine = (rows % 2 * 2.0 - 1).view(1, 1, 32, 1).expand(1, 1, 32, 32)
    coarse = (rows / 32 * 2 * torch.pi).sin().view(1, 1, 32, 1).expand(1, 1, 32, 32)
    assert band_limited_mse(coarse + fine, coarse).item() < 1e-10
    assert band_limited_mse(coarse, torch.zeros_like(coarse)).item() == pytest.approx(0.5, rel=1e-4)
    assert mse(coarse + fine, coarse).item() == pytest.approx(1)


def test_means_over_windows() -> None:
    found = box_means(torch.ones((1, 1, 5, 6)), 3)
    assert found[0, 0, 2, 2].item() == pytest.approx(1)
    assert found[0, 0, 0, 0].item() == pytest.approx(4 / 9)


@pytest.mark.parametrize("window", [0, 4, -3])
def test_a_window_has_a_middle(window: int) -> None:
    with pytest.raises(ValueError, match="no middle"):
        local_ncc(textured(8, 8), textured(8, 8), window)
