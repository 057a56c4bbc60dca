"""Symmetric InfoNCE where it is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.info_nce import info_nce


@pytest.mark.parametrize("count", [2, 5, 40])
def test_orthogonal_items(count: int) -> None:
    views = torch.eye(count, 64)
    assert info_nce(views, views).item() == pytest.approx(np.log(1 + (count - 1) * np.exp(-10)), rel=1e-3, abs=1e-6)


def test_items_that_are_all_alike() -> None:
    views = torch.ones((7, 3))
    assert info_nce(views, 2 * views).item() == pytest.approx(np.log(7), rel=1e-6)


def test_neither_length_nor_order_nor_side_matters() -> None:
    random = torch.Generator().manual_seed(0)
    first, second = (torch.randn((6, 8), generator=random) for _ in range(2))
    order = torch.randperm(6, generator=random)
    found = info_nce(first, second)
    for one, other in ((3 * first, second), (first[order], second[order]), (second, first)):
        assert info_nce(one, other).item() == pytest.approx(found.item(), rel=1e-5)


def test_pairs_that_match_are_better_than_pairs_that_do_not() -> None:
    random = torch.Generator().manual_seed(0)
    first = torch.randn((6, 8), generator=random)
    near = first + 0.1 * torch.randn((6, 8), generator=random)
    assert info_nce(first, near) < info_nce(first, near.roll(1, dims=0))


def test_one_item_alone() -> None:
    with pytest.raises(ValueError, match="cannot be told from others"):
        info_nce(torch.ones((1, 3)), torch.ones((1, 3)))
