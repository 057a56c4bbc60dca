"""Points come out of heatmaps where they are, and sharpness is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.dsnt import (
    TINY,
    centres,
    cross_entropy,
    divergence,
    expectation,
    gaussians,
    spatial_softmax,
    to_coordinates,
    to_pixels,
)


def test_a_delta_is_where_it_is() -> None:
    heatmap = torch.zeros((1, 1, 8, 16))
    heatmap[0, 0, 2, 5] = 1
    assert expectation(heatmap)[0, 0].tolist() == pytest.approx([11 / 16 - 1, 5 / 8 - 1])
    assert to_pixels(expectation(heatmap), 16, 8)[0, 0].tolist() == pytest.approx([5, 2])


def test_even_heat_is_the_middle() -> None:
    assert expectation(spatial_softmax(torch.zeros((2, 7, 9, 12)))).abs().max() < 1e-6


def test_pixels_and_coordinates_are_inverse() -> None:
    points = torch.rand((3, 7, 2)) * 2 - 1
    assert torch.allclose(to_coordinates(to_pixels(points, 40, 30), 40, 30), points, atol=1e-6)
    assert centres(4).tolist() == pytest.approx([-0.75, -0.25, 0.25, 0.75])


def test_a_gaussian_is_found_again() -> None:
    points = torch.tensor([[[0.1, -0.3], [-0.4, 0.25]]])
    heatmaps = gaussians(points, 64, 48, 2.0)
    assert heatmaps.sum(dim=(2, 3)).numpy() == pytest.approx(np.ones((1, 2)), abs=1e-6)
    assert torch.allclose(expectation(heatmaps), points, atol=1e-4)
    peak = heatmaps[0, 0].argmax().item()
    assert (peak % 64, peak // 64) == tuple(to_pixels(points, 64, 48)[0, 0].round().int().tolist())


def test_divergence_is_nought_of_equals_and_log_two_of_strangers() -> None:
    one = gaussians(torch.tensor([[[-0.8, -0.8]]]), 64, 64, 1.0)
    other = gaussians(torch.tensor([[[0.8, 0.8]]]), 64, 64, 1.0)
    assert divergence(one, one).item() == pytest.approx(0, abs=1e-6)
    assert divergence(one, other).item() == pytest.approx(np.log(2), abs=1e-4)
    near = gaussians(torch.tensor([[[-0.78, -0.8]]]), 64, 64, 1.0)
    assert 0 < divergence(one, near).item() < divergence(one, other).item()


def test_cross_entropy_is_least_of_equals() -> None:
    one = gaussians(torch.tensor([[[-0.8, -0.8]]]), 64, 64, 1.0)
    other = gaussians(torch.tensor([[[0.8, 0.8]]]), 64, 64, 1.0)
    assert cross_entropy(one, one).item() == pytest.approx(np.log(2 * np.pi * np.e), abs=1e-3)  # of a Gaussian
    assert cross_entropy(other, one).item() == pytest.approx(-np.log(TINY), abs=1e-3)


def test_the_point_is_learnt_through_it() -> None:
    logits = torch.zeros((1, 1, 16, 16), requires_grad=True)
    wanted = torch.tensor([[[0.5, -0.25]]])
    for _ in range(200):
        loss = (expectation(spatial_softmax(logits)) - wanted).norm()
        (slope,) = torch.autograd.grad(loss, logits)
        with torch.no_grad():
            logits -= 20 * slope
    assert torch.allclose(expectation(spatial_softmax(logits)), wanted, atol=0.02)
