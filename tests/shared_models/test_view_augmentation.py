from __future__ import annotations

import math

import pytest
import torch

from shared_models.view_augmentation import ANGLE, augmented, augmented_with_masks, regraded, turned

ONE = torch.ones(1)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture(count: int = 1, side: int = 12) -> torch.Tensor:
    return torch.rand(count, 1, side, side, generator=random())


def test_turned_by_nothing_is_the_same() -> None:
    assert torch.allclose(turned(picture(), 0 * ONE, ONE), picture(), atol=1e-6)


def test_a_quarter_turn_is_exact() -> None:
    assert torch.allclose(turned(picture(), math.pi / 2 * ONE, ONE), picture().rot90(1, (2, 3)), atol=1e-5)


def test_mirrored_is_left_to_right_and_after_the_turn() -> None:
    assert torch.allclose(turned(picture(), 0 * ONE, -ONE), picture().flip(3), atol=1e-6)
    quarter = turned(picture(), math.pi / 2 * ONE, -ONE)
    assert torch.allclose(quarter, picture().rot90(1, (2, 3)).flip(3), atol=1e-5)


def test_the_border_is_drawn_on() -> None:
    """A white picture stays white to its corners; black from outside would darken them."""
    assert torch.allclose(turned(torch.ones(1, 1, 12, 12), ANGLE * ONE, ONE), torch.ones(()), atol=1e-6)


def test_contrast_then_brightness() -> None:
    shown = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)
    changed = regraded(shown, torch.full((1, 1, 1, 1), 1.1), torch.full((1, 1, 1, 1), -0.1))
    assert torch.allclose(changed.flatten(), torch.tensor([0.0, 0.45, 1.0]))


def test_the_generator_alone_decides() -> None:
    shown = picture(8)
    assert torch.equal(augmented(shown, random(1)), augmented(shown, random(1)))
    assert not torch.equal(augmented(shown, random(1)), augmented(shown, random(2)))


def test_values_stay_values() -> None:
    changed = augmented(picture(64), random())
    assert changed.shape == (64, 1, 12, 12)
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_grey_levels_move_by_at_most_the_papers_share() -> None:
    """On even pictures turning does nothing: a level g becomes c g + b."""
    dark, grey = (augmented(torch.full((400, 1, 4, 4), level), random())[:, 0, 0, 0] for level in (0.0, 0.5))
    assert dark.min() == 0
    assert dark.max() == pytest.approx(0.15, abs=0.01)
    assert (grey - 0.5).abs().max() <= 0.15 + 0.075 + 1e-6
    lit = dark > 0
    contrast = (grey[lit] - dark[lit]) / 0.5
    assert float(contrast.min()) == pytest.approx(0.85, abs=0.01)
    assert float(contrast.max()) == pytest.approx(1.15, abs=0.01)


def test_half_of_the_images_are_mirrored() -> None:
    """Left white, right black: at up to 30 degrees the left half stays the brighter one unless it is mirrored."""
    shown = torch.zeros(400, 1, 16, 16)
    shown[..., :8] = 1
    changed = augmented(shown, random())
    mirrored = changed[..., 8:].mean((1, 2, 3)) > changed[..., :8].mean((1, 2, 3))
    assert 160 < int(mirrored.sum()) < 240


def test_masks_are_turned_with_their_images_and_stay_masks() -> None:
    """White squares on black: where the mask is, the picture is bright, wherever it was turned."""
    masks = torch.zeros(40, 1, 24, 24)
    masks[:, :, 3:12, 2:10] = 1
    shown, turned_masks = augmented_with_masks(masks, masks, random())
    assert torch.equal(shown, augmented(masks, random()))
    assert set(turned_masks.unique().tolist()) == {0.0, 1.0}
    assert ((shown > 0.5) == (turned_masks == 1)).float().mean() > 0.97
    assert not torch.equal(turned_masks, masks)
