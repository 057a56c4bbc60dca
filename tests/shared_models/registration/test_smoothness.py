"""Roughness of a linear field is known."""

from __future__ import annotations

import pytest
import torch

from shared_models.registration.smoothness import smoothness


def test_a_linear_field() -> None:
    """u_c = Σ_k g_ck p_k in voxels p: every difference along k is g_ck, so that R = (1/d) Σ_k (n_k/2)² mean_c g_ck²."""
    size, slopes = (5, 6, 8), torch.tensor([[0.1, -0.2, 0.3], [0.0, 0.5, 0.1], [0.2, 0.0, -0.4]])
    grid = torch.stack(torch.meshgrid([torch.arange(n, dtype=torch.float32) for n in size], indexing="ij"))
    field = torch.einsum("ck,k...->c...", slopes, grid)[None]
    expected = sum((n / 2) ** 2 * (slopes[:, k] ** 2).mean().item() for k, n in enumerate(size)) / 3
    assert smoothness(field).item() == pytest.approx(expected, rel=1e-5)


def test_a_shift_is_smooth() -> None:
    assert smoothness(torch.ones((2, 2, 4, 6))).item() == 0


def test_twice_the_field_is_four_times_as_rough() -> None:
    field = torch.randn((2, 2, 6, 7), generator=torch.Generator().manual_seed(0))
    assert smoothness(2 * field).item() == pytest.approx(4 * smoothness(field).item(), rel=1e-6)
