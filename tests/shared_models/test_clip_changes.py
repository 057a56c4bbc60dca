"""What is changed in clips, and what is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.clip_changes import Changes, changed, erased, erased_copies, mirrored, moved

SIDE = 16


def test_a_block_is_black_in_all_frames_and_nothing_else_is_changed() -> None:
    clips = torch.ones((50, 5, 64, 64))
    found = erased(clips, 0.8, torch.Generator().manual_seed(0))
    black = (found == 0).sum(dim=(2, 3))
    assert set(black.unique().tolist()) == {0, 100}
    assert (black == black[:, :1]).all()
    assert 0.6 < (black[:, 0] > 0).float().mean() < 0.95


def test_the_mirrored_are_mirrored() -> None:
    clips = torch.rand((2, 3, 4, 4))
    found = mirrored(clips, torch.tensor([True, False]))
    assert torch.equal(found[0], clips[0].flip(-1))
    assert torch.equal(found[1], clips[1])


@pytest.mark.parametrize("together", [True, False])
def test_halves_are_mirrored_together_or_each_for_itself(together: bool) -> None:
    half = np.tile(np.arange(SIDE, dtype=np.uint8), (40, 5, SIDE, 1))
    random = torch.Generator().manual_seed(0)
    first, second = changed(half, half, Changes(chance=0.5 if not together else 0.0, together=together), random)
    turned = [clips[:, :, :, 0].amax(dim=(1, 2)) > clips[:, :, :, -1].amax(dim=(1, 2)) for clips in (first, second)]
    assert 0.2 < turned[0].float().mean() < 0.8
    assert torch.equal(turned[0], turned[1]) is together


def test_erased_copies_are_black_in_one_block_each() -> None:
    copies = erased_copies(np.full((3, 2, 64, 64), 9, np.uint8), seed=1)
    assert (copies == 0).sum(axis=(2, 3)).tolist() == [[100, 100]] * 3


def test_frames_of_a_clip_are_moved_alike_and_clips_each_for_itself() -> None:
    frame = torch.rand((1, 1, 32, 32))
    clips = frame.expand(3, 2, 32, 32).contiguous()
    found = moved(clips, torch.Generator().manual_seed(0))
    assert found.shape == clips.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.equal(found[:, 0], found[:, 1])
    assert (found[0] - found[1]).abs().mean() > 0.02
    assert (found - clips).abs().mean() < 0.3


def test_as_published_nothing_is_moved() -> None:
    half = np.random.default_rng(0).integers(0, 256, (4, 5, SIDE, SIDE), dtype=np.uint8)
    half[:, :, 0, :2] = 0, 255
    one, other = changed(half, half, Changes(chance=0.0), torch.Generator().manual_seed(0))
    assert torch.equal(one, other)
    assert np.allclose(one.numpy() * 255, half, atol=1e-3)
