"""Learning makes images alike, ours and a rival's alike, and ends in the same bits when it is done again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import registration_learning
from benchmarks.registration_classical import identity
from benchmarks.registration_learned import VOXELMORPH
from benchmarks.registration_learning import Choice, Course, field_of, image_pairs, learnt
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
    network = fresh(name, 2, 0)
    assert learnt(network, pairs, "mse", Choice(3e-3, 1e-3), Course(60, 1, "float32")) > 0
    before = np.mean([(one.moving - one.fixed) ** 2 for one in pairs])
    after = np.mean([(moved(one.moving, field_of(network, one.moving, one.fixed)) - one.fixed) ** 2 for one in pairs])
    assert after < 0.6 * before


def course(folder=None):
    network = fresh(VOXELMORPH, 2, 0)
    took = learnt(network, toys(3), "local_ncc", Choice(1e-3, 1.0), Course(3, 5, "float32"), folder)
    return list(network.parameters()), took


def test_the_same_seed_learns_the_same() -> None:
    (one, _), (other, _) = course(), course()
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first, second)


def test_a_course_that_was_kept_is_not_taken_again(tmp_path, monkeypatch) -> None:
    (one, _), (kept, took) = course(), course(tmp_path / "course")
    monkeypatch.setattr(registration_learning.RegistrationTask, "loss", None)
    found, said = course(tmp_path / "course")
    assert said == took > 0
    for first, second, third in zip(one, kept, found, strict=True):
        assert torch.equal(first, second)
        assert torch.equal(first, third)


def test_pairs_keep_their_images() -> None:
    pairs = toys(3)
    held = image_pairs(pairs)
    moving, fixed = held.shown(np.array([2, 0]), torch.device("cpu"))
    np.testing.assert_array_equal(moving[:, 0], np.stack([pairs[2].moving, pairs[0].moving]))
    np.testing.assert_array_equal(fixed[:, 0], np.stack([pairs[2].fixed, pairs[0].fixed]))
