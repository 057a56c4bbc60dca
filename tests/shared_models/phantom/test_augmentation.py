"""Whatever is changed in a frame, it stays a frame, black stays black, and one seed gives one result."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from benchmarks.phantom_classifier import pictures
from benchmarks.phantom_frames import phantom_squares
from shared_models.phantom import augmentation as change
from shared_models.phantom.augmentation import augmented, refilled
from tests.benchmarks.phantom_toys import toy

IMAGES = pictures(phantom_squares(14, first_seed=0, draw=toy).images)
CHANGES = (change.narrowed, change.moved, change.shaded, change.boxed, change.regraded, change.blurred, augmented)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("changed", CHANGES)
def test_a_frame_stays_a_frame(changed: Callable[[torch.Tensor, torch.Generator], torch.Tensor]) -> None:
    before = IMAGES.clone()
    found = changed(IMAGES, generator())
    assert found.shape == IMAGES.shape
    assert torch.isfinite(found).all()
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    assert torch.equal(IMAGES, before)
    assert torch.equal(found, changed(IMAGES, generator()))
    assert not torch.equal(found, changed(IMAGES, generator(1)))


def test_images_stay_on_their_device() -> None:
    assert augmented(IMAGES.to("meta"), generator()).device.type == "meta"  # which refuses to be mixed with others


@pytest.mark.parametrize("changed", [change.shaded, change.regraded])
def test_grey_changes_leave_black_black(changed: Callable[[torch.Tensor, torch.Generator], torch.Tensor]) -> None:
    assert float(changed(IMAGES, generator())[IMAGES == 0].max()) == 0


def test_what_is_cut_to_a_part_fills_the_square_again() -> None:
    images = torch.zeros(2, 1, 100, 100)
    images[0, 0, 10:90, 20:80] = 1  # 80 high, 60 wide
    images[1, 0, 50:60, 50:60] = 1  # too small to be enlarged
    found = refilled(images, images)
    rows, columns = (found[0, 0] > 0.5).any(1).nonzero(), (found[0, 0] > 0.5).any(0).nonzero()
    assert (int(rows[0]), int(rows[-1])) == (0, 99)
    assert abs(int(columns[-1] - columns[0]) + 1 - 75) <= 1
    assert abs(int(columns[-1] + columns[0]) - 99) <= 1
    assert torch.equal(found[1] > 0.5, images[1] > 0.5)
