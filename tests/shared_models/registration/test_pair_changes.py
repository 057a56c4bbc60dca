"""Both images of a pair are changed alike, the fixed one warped beside that, and nothing where nothing is asked."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from shared_models.registration.fields import identity_grid
from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.pair_changes import PairChanges, _matrices, changed
from shared_models.registration.registration_loss import RegistrationLoss
from shared_models.registration.registration_training import ImagePairs, RegistrationTask
from tests.shared_models.registration.textures import batched, texture

SIZES = [(24, 30), (16, 18, 20)]
NONE = PairChanges(degrees=0, stretch=0, mirrored=False, warp=0)


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pair(size: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    return batched(texture(size, 1)), batched(texture(size, 2))


@pytest.mark.parametrize("size", SIZES)
def test_without_changes_images_are_the_same(size: tuple[int, ...]) -> None:
    images = pair(size)
    for before, after in zip(images, changed(*images, NONE, drawn()), strict=True):
        assert torch.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_both_are_mirrored_along_the_same_axes(size: tuple[int, ...]) -> None:
    images = pair(size)
    found = set()
    for seed in range(24):
        after = changed(*images, replace(NONE, mirrored=True), drawn(seed))
        for axes in product((False, True), repeat=len(size)):
            turned = [axis for axis, is_turned in enumerate(axes, start=2) if is_turned]
            if all(torch.allclose(each.flip(turned), one, atol=1e-4) for each, one in zip(images, after, strict=True)):
                found.add(axes)
    assert len(found) > 2 ** (len(size) - 1)


def test_equal_images_stay_equal_but_for_the_warp() -> None:
    image, _ = pair((24, 30))
    moving, fixed = changed(image, image, PairChanges(warp=0), drawn())
    assert torch.equal(moving, fixed)
    assert not torch.allclose(moving, image, atol=0.05)
    moving, fixed = changed(image, image, replace(NONE, warp=1.5), drawn())
    assert torch.allclose(moving, image, atol=1e-4)
    assert not torch.allclose(fixed, image, atol=0.05)


def test_turns_are_of_voxels_and_do_not_shear() -> None:
    size = torch.tensor([10.0, 30.0, 20.0])
    grid = identity_grid([int(n) for n in size], size)
    found = _matrices(8, grid, replace(NONE, degrees=30), drawn())
    halves = (size - 1) / 2
    of_voxels = found * halves[:, None] / halves
    assert torch.allclose(of_voxels @ of_voxels.transpose(1, 2), torch.eye(3).expand(8, 3, 3), atol=1e-5)


def test_pairs_of_a_batch_are_changed_each_on_its_own_and_again_the_same() -> None:
    moving, fixed = (image.expand(2, -1, -1, -1) for image in pair((24, 30)))
    first, again = (changed(moving, fixed, PairChanges(), drawn(3)) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.allclose(first[0][0], first[0][1], atol=0.05)


def test_a_network_learns_from_changed_pairs() -> None:
    images = torch.cat(pair((32, 32)))[:, 0].numpy()
    pairs = ImagePairs(images, np.array([[0, 1]]))
    network = FourierNet(2, 2)
    losses = []
    for changes in (None, PairChanges()):
        task = RegistrationTask(network, pairs, loss=RegistrationLoss("mse", 0.1), changes=changes)
        losses.append([task.loss(np.array([0]), drawn(seed), torch.device("cpu")).item() for seed in (1, 1, 2)])
    assert losses[0][0] == losses[0][2]
    assert losses[1][0] == losses[1][1]
    assert losses[1][0] != losses[1][2]
