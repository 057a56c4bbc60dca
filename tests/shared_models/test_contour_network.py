"""Two heads on one trunk."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.contour_network import POINTS, contour_network, said, shrunk_of


@pytest.mark.parametrize("shrunk", [1, 2])
def test_what_both_heads_say(shrunk: int) -> None:
    torch.manual_seed(0)
    heads = said(contour_network(16, width=4, levels=2, shrunk=shrunk), torch.randn((3, 1, 16, 16)))
    assert heads.points.shape == (3, POINTS, 2)
    assert heads.heatmaps.shape == (3, POINTS, 16 // shrunk, 16 // shrunk)
    assert heads.points.abs().max() <= 1
    assert heads.heatmaps.sum(dim=(2, 3)).detach().numpy() == pytest.approx(np.ones((3, POINTS)), abs=1e-5)
    assert heads.distance.shape == (3, 1, 16 // shrunk, 16 // shrunk)
    assert 0 <= heads.distance.min() <= heads.distance.max() <= 1


def test_a_side_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        contour_network(20)


def test_how_much_it_shrinks_is_seen_from_its_weights() -> None:
    assert [shrunk_of(contour_network(32, width=4, levels=2, shrunk=shrunk)) for shrunk in (1, 2, 4)] == [1, 2, 4]
