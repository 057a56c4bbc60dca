"""What travels of batch norms, what stays, and what a network is shown before it is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from shared_models.batch_norm_rounds import WAYS, is_statistic, re_estimate, require_way, travelling

CAME: dict[str, NDArray[Any]] = {
    "fusing.1.weight": np.zeros(1),
    "fusing.1.running_mean": np.zeros(1),
    "fusing.1.running_var": np.ones(1),
    "fusing.1.num_batches_tracked": np.zeros((), np.int64),
    "last.bias": np.zeros(3),
}
AFTER = {name: np.asarray(value + 5) for name, value in CAME.items()}


def _network() -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm3d(1, momentum=0.3), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 2))


def _hearts(count: int, seed: int = 0) -> torch.Tensor:
    return 3 + 2 * torch.randn((count, 1, 2, 2, 2), generator=torch.Generator().manual_seed(seed))


def _re_estimated(network: nn.Module, hearts: torch.Tensor, at_once: int = 4) -> list[int]:
    sizes = []

    def show(rows: Sequence[int]) -> None:
        sizes.append(len(rows))
        network(hearts[list(rows)])

    re_estimate(network, len(hearts), show, at_once)
    return sizes


def test_statistics_stay_and_all_else_travels() -> None:
    left = travelling(AFTER, CAME, "re-estimated")
    assert list(left) == list(CAME)
    changed = {name for name in left if not np.array_equal(left[name], CAME[name])}
    assert changed == {"fusing.1.weight", "last.bias"}
    assert [name for name in CAME if is_statistic(name)] == [name for name in CAME if name not in changed]


def test_where_all_is_averaged_everything_travels() -> None:
    assert travelling(AFTER, CAME, "averaged") == AFTER


@pytest.mark.parametrize("way", WAYS)
def test_the_ways_are_known(way: str) -> None:
    require_way(way)


def test_another_way_is_one_line() -> None:
    with pytest.raises(ValueError, match="batch norms are re-estimated or averaged, not 'local'"):
        require_way("local")
    with pytest.raises(TypeError, match="batch_norm 3 is no text"):
        require_way(3)


def test_statistics_are_those_of_what_is_shown() -> None:
    network, hearts = _network(), _hearts(12)
    norm: Any = network[0]
    norm.running_mean.fill_(99)
    assert _re_estimated(network, hearts) == [4, 4, 4]
    parts = hearts.split(4)
    mean, variance = (torch.stack([taken(part) for part in parts]).mean() for taken in (torch.mean, torch.var))
    assert norm.running_mean.item() == pytest.approx(mean.item(), rel=1e-5)
    assert norm.running_var.item() == pytest.approx(variance.item(), rel=1e-5)


def test_batches_are_of_about_equal_size_and_none_is_of_one() -> None:
    assert _re_estimated(_network(), _hearts(9)) == [3, 3, 3]
    assert _re_estimated(_network(), _hearts(5)) == [3, 2]
    assert _re_estimated(_network(), _hearts(1)) == [1], "there is no other"


def test_no_weight_moment_or_mode_is_changed() -> None:
    network = _network()
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    _re_estimated(network, _hearts(8))
    after = network.state_dict()
    assert {name for name in after if not torch.equal(after[name], before[name])} == {
        "0.running_mean",
        "0.running_var",
        "0.num_batches_tracked",
    }
    assert [module.training for module in network.modules()] == modes
    assert network[0].momentum == 0.3
    assert all(weights.grad is None for weights in network.parameters())


def test_of_nothing_there_are_no_statistics() -> None:
    with pytest.raises(ValueError, match="there is nothing to take the statistics"):
        re_estimate(_network(), 0, lambda _: None, 4)


def test_a_mean_of_variances_lacks_what_means_differ_by() -> None:
    """Why statistics are not averaged: two sites whose pictures differ in brightness alone, one channel."""
    dark, bright = torch.randn(4000), torch.randn(4000) + 6
    averaged = (dark.var() + bright.var()) / 2
    assert torch.cat([dark, bright]).var().item() == pytest.approx(10, rel=0.05)
    assert averaged.item() == pytest.approx(1, rel=0.05)
