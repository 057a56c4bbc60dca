"""Multiplications that can be told beforehand are found again."""

from __future__ import annotations

import pytest

from benchmarks import registration_cost
from benchmarks.registration_cost import (
    LONG_ENOUGH,
    NO_WARMING_UP,
    Cost,
    _counted,
    cost,
    in_process,
    joined,
    write_pair,
)
from benchmarks.registration_learned import VOXELMORPH
from benchmarks.registration_peers import DEMONS
from tests.benchmarks.registration_toys import blobs


def test_multiplications_of_a_convolution_are_counted() -> None:
    import torch

    from shared_models.registration.network import Estimate

    class One(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, moving, fixed):
            field = self.layer(torch.cat([moving, fixed], dim=1))
            return Estimate(field, field)

    image = blobs((16, 20))
    assert _counted(One(), image, image) == {"parameters": 38, "multiply_adds": 16 * 20 * 2 * 2 * 9}


def test_a_method_without_a_network_has_no_parameters() -> None:
    found = cost(DEMONS, 0, blobs((40, 40)), blobs((40, 40), seed=1), rounds=2)
    assert len(found.seconds) == 2
    assert found.parameters is found.multiply_adds is None


@pytest.mark.parametrize(("each", "asked", "taken"), [(18.0, 5, 4), (18.0, 1, 1), (30.0, 5, 1), (90.0, 5, 1)])
def test_what_takes_long_has_fewer_rounds(monkeypatch, each, asked, taken) -> None:
    runs: list[object] = []

    def seconds(run) -> float:
        runs.append(run)
        return each

    monkeypatch.setattr(registration_cost, "_seconds", seconds)
    image = blobs((40, 40))
    found = cost(DEMONS, 0, image, image, rounds=asked)
    assert found.seconds == [each] * taken
    assert found.once_is_enough == (each > LONG_ENOUGH)
    assert len(runs) == (1 if each > NO_WARMING_UP else 1 + taken)  # the first pair is that of the memory


def test_a_pair_is_measured_in_a_fresh_process(tmp_path) -> None:
    write_pair(tmp_path / "pair.npz", blobs((48, 48)), blobs((48, 48), seed=1))
    found = in_process(VOXELMORPH, 0, tmp_path / "pair.npz", rounds=3)
    assert len(found.seconds) == 3
    assert min(found.seconds) > 0
    assert found.parameters == 83_544  # in 2D
    with pytest.raises(RuntimeError, match="ended with 1"):
        in_process(VOXELMORPH, 0, tmp_path / "none.npz", rounds=1)


def test_visits_are_joined() -> None:
    both = joined([Cost([1.0, 2.0], 10, 5, 6), Cost([6.0], 30, 5, 6)])
    assert both == Cost([1.0, 2.0, 6.0], 20, 5, 6)
    assert both.median == 2
