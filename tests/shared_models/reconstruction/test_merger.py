"""Scores weigh: equal ones give the mean, a high one its volume, a missing view nothing."""

from __future__ import annotations

import pytest
import torch

from shared_models.reconstruction.merger import Merger, merged


def _volumes(*values: float) -> torch.Tensor:
    return torch.tensor(values)[None, :, None, None, None].expand(1, len(values), 2, 2, 2)


def test_equal_scores_give_the_mean() -> None:
    assert torch.allclose(merged(_volumes(0.2, 0.8), _volumes(3.0, 3.0)), torch.full((1, 2, 2, 2), 0.5))


def test_weights_are_a_soft_max_of_the_scores() -> None:
    found = merged(_volumes(0.0, 1.0), _volumes(0.0, 1.0))
    assert found[0, 0, 0, 0].item() == pytest.approx(1 / (1 + torch.exp(torch.tensor(-1.0)).item()))


def test_a_missing_view_weighs_nothing() -> None:
    present = torch.tensor([[True, False, True]])
    found = merged(_volumes(0.2, 1.0, 0.4), _volumes(0.0, 50.0, 0.0), present)
    assert torch.allclose(found, torch.full((1, 2, 2, 2), 0.3))


@pytest.mark.parametrize("size", [32, 64])
def test_scores_of_each_voxel(size: int) -> None:
    merger = Merger(size).eval()
    assert merger(torch.rand(2, 9, 6, 6, 6)).shape == (2, 1, 6, 6, 6)
    assert len(merger.dense) == (4 if size == 32 else 0)
