"""Networks are learnt alone, pooled and in rounds, from the same first weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.segmentation_methods import Setting, alone, averaged, joint
from shared_models.segmentation import Masked

TINY = Setting(side=16, width=2, levels=2, alone=1, joint=1, rounds=1, local=1, rate=1e-3)


def _square(seed: int, count: int = 4) -> Masked:
    random = np.random.default_rng(seed)
    images, masks = random.integers(0, 60, (count, 16, 16), dtype=np.uint8), np.zeros((count, 16, 16), np.uint8)
    masks[:, 4:10, 4:10] = 1
    images[masks == 1] += 150
    return Masked(images, masks)


def _vector(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([part.detach().flatten() for part in network.parameters()])


def test_first_weights_are_the_seeds() -> None:
    assert torch.equal(_vector(TINY.network(3)), _vector(TINY.network(3)))
    assert not torch.equal(_vector(TINY.network(3)), _vector(TINY.network(4)))


def test_a_proximity_holds_back() -> None:
    given = _square(0)
    start = _vector(TINY.network(0))
    setting = replace(TINY, local=6)  # the first step is not held yet
    moved = [_vector(averaged({"a": given}, setting, 0, proximity)) - start for proximity in (0.0, 100.0)]
    assert float(moved[0].norm()) > 0
    assert float(moved[1].norm()) < float(moved[0].norm())
    assert not torch.equal(_vector(alone(given, TINY, 0)), start)


def test_the_mean_is_by_numbers_of_images() -> None:
    one, other = _square(0, 4), _square(1, 12)
    together = _vector(averaged({"a": one, "b": other}, TINY, 0))
    apart = _vector(averaged({"a": one}, TINY, 0))
    start = _vector(TINY.network(0))
    assert float((together - start).norm()) > 0
    assert not torch.allclose(together, apart)


def test_the_pooled_network_learns_from_all() -> None:
    network = joint({"a": _square(0), "b": _square(1)}, TINY, 0)
    assert not network.training
    assert not torch.equal(_vector(network), _vector(TINY.network(0)))


def test_passes_are_told() -> None:
    setting = Setting()
    assert setting.recipe(1, 7).epochs == 7
    assert setting.rounds * setting.local == setting.alone == 2 * setting.joint
    assert setting.recipe(1, 7).metric == ""
    with pytest.raises(ValueError, match="take a multiple"):
        Setting(side=17, levels=3).network(0)
