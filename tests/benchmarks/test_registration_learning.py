"""Learning makes images alike, ours and a rival's alike, and ends in the same bits when it is done again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.registration_classical import identity
from benchmarks.registration_learned import VOXELMORPH
from benchmarks.registration_learning import SIMILARITIES, Choice, PairsTask, field_of, learnt
from benchmarks.registration_peers import fresh
from benchmarks.registration_scores import moved
from benchmarks.registration_starts import Started
from shared_models.registration.pairs import Pair
from tests.benchmarks.registration_toys import blobs, swirl
from tests.benchmarks.registration_toys import moved as splined

SHAPE = (32, 32)


def toys(count=4):
    images = [blobs(SHAPE, seed) for seed in range(count)]
    pairs = [Pair(f"{seed}", image, splined(image, swirl(SHAPE)), (1.0, 1.0)) for seed, image in enumerate(images)]
    return [Started(one, identity(2), one.moving, (one.name,)) for one in pairs]


@pytest.mark.parametrize("name", [VOXELMORPH, "Fourier-Net", "Diff-Fourier-Net+"])
def test_images_become_alike(name) -> None:
    pairs = toys()
    network = learnt(fresh(name, 2, 0), pairs, "squared difference", Choice(3e-3, 1e-3), 60, 1)
    before = np.mean([(one.moving - one.fixed) ** 2 for one in pairs])
    after = np.mean([(moved(one.moving, field_of(network, one.moving, one.fixed)) - one.fixed) ** 2 for one in pairs])
    assert after < 0.6 * before


def test_the_same_seed_learns_the_same() -> None:
    one, other = (
        learnt(fresh(VOXELMORPH, 2, 0), toys(3), "local correlation", Choice(1e-3, 1.0), 3, 5) for _ in range(2)
    )
    for first, second in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(first, second)


def test_the_loss_is_likeness_and_weighted_roughness() -> None:
    from shared_models.registration.network import Estimate

    class Still(torch.nn.Module):
        padding = "zeros"

        def forward(self, moving, fixed):  # noqa: ARG002
            field = torch.zeros(len(moving), 2, *SHAPE)
            rough = torch.zeros_like(field)
            rough[:, :, ::2] = 0.5  # differs by 0.5 between neighbours along the first axis
            return Estimate(field, rough)

    pairs = toys(2)
    task = PairsTask(Still(), pairs, SIMILARITIES["squared difference"], 3.0)
    alike = np.mean([(one.moving - one.fixed) ** 2 for one in pairs])
    roughness = (16 * 0.5) ** 2 / 2
    found = task.loss(np.array([0, 1]), torch.Generator(), torch.device("cpu"))
    assert float(found) == pytest.approx(alike + 3 * roughness, rel=1e-5)
    assert task.examples == 2
