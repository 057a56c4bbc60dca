"""Two heads on one trunk."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.contour_network import POINTS, contour_network, said


def test_what_both_heads_say() -> None:
    torch.manual_seed(0)
    heads = said(contour_network(16, width=4, levels=2), torch.randn((3, 1, 16, 16)))
    assert heads.points.shape == (3, POINTS, 2)
    assert heads.points.abs().max() <= 1
    assert heads.heatmaps.sum(dim=(2, 3)).detach().numpy() == pytest.approx(np.ones((3, POINTS)), abs=1e-5)
    assert heads.distance.shape == (3, 1, 16, 16)
    assert 0 <= heads.distance.min() <= heads.distance.max() <= 1


def test_a_side_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        contour_network(20)
