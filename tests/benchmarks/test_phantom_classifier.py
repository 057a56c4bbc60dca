"""The network learns families of toy fans it has not seen, the same way every time, and does not see gain."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.phantom_classifier import changed, levelled, pictures, probabilities, train
from benchmarks.phantom_frames import phantom_squares
from tests.benchmarks.phantom_toys import toy


def test_families_are_learnt_and_a_seed_gives_one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.phantom_classifier.changed", lambda images, _: images)
    learnt, unseen = (phantom_squares(70, first_seed=seed, draw=toy) for seed in (0, 500))
    small = [squares.images[:, ::2, ::2] for squares in (learnt, unseen)]
    first, second = (train(small[0], learnt.labels, 7, steps=40, seed=3) for _ in range(2))
    found = probabilities(first, small[1])
    assert (found.argmax(axis=1) == unseen.labels).mean() > 0.8
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(found, probabilities(second, small[1]))


def test_gain_and_offset_are_taken_out() -> None:
    images = pictures(phantom_squares(7, first_seed=0, draw=toy).images)
    inside = images > 0
    levels = levelled(images)
    assert torch.allclose(levels, levelled(images * 0.5 + 0.2 * inside), atol=0.5)
    assert float((levels.sum(dim=(2, 3)) / inside.sum(dim=(2, 3))).abs().max()) < 1e-5
    assert float(levels[~inside].abs().max()) == 0


def test_about_half_of_the_images_are_much_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.phantom_classifier.augmented", lambda images, _: torch.zeros_like(images))
    images = torch.ones(400, 1, 32, 32)
    found = changed(images, torch.Generator().manual_seed(0))
    assert 150 < int((found.amax(dim=(1, 2, 3)) == 0).sum()) < 250
