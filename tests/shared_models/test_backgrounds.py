"""Backgrounds change what lies outside the sector, and nothing inside it."""

from __future__ import annotations

import pytest
import torch

from shared_models.backgrounds import BACKGROUNDS, BOKEH, NOISE, Donors, background


def _batch(count: int = 5, side: int = 16) -> tuple[torch.Tensor, torch.Tensor, Donors]:
    random = torch.Generator().manual_seed(0)
    images, others = (torch.rand((count, 1, side, side), generator=random) for _ in range(2))
    masks, donor_masks = (torch.zeros((count, 1, side, side)) for _ in range(2))
    masks[:, :, 4:12, 4:12] = 1
    donor_masks[:, :, 2:9, 2:9] = 1
    return images, masks, Donors(others, donor_masks)


def _done(name: str, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Donors]:
    images, masks, donors = _batch()
    return background(name)(images, masks, donors, torch.Generator().manual_seed(seed)), images, masks, donors


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_what_lies_inside_the_sector_stays(name: str) -> None:
    found, images, masks, _ = _done(name)
    assert torch.equal(found * masks, images * masks)
    assert found.shape == images.shape
    assert found.min() >= 0
    assert found.max() <= 1


def test_black_noise_and_bokeh_are_what_they_are_called() -> None:
    outside = _batch()[1] == 0
    assert (_done("black")[0][outside] == 0).all()
    dark = _done("noise")[0][outside]
    assert 0 <= dark.min() < dark.max() <= NOISE
    found, images, _, _ = _done("bokeh")
    assert torch.allclose(found[outside], BOKEH * images[outside])


def test_shuffling_keeps_every_background_pixel_of_an_image() -> None:
    found, images, masks, _ = _done("shuffle")
    for one, before, mask in zip(found, images, masks, strict=True):
        assert torch.equal(one[mask == 0].sort().values, before[mask == 0].sort().values)
    assert not torch.equal(found, images)


def test_backmix_is_the_donors_background_in_the_same_place() -> None:
    found, _, masks, donors = _done("backmix")
    outside, hidden = masks == 0, (masks == 0) & (donors.masks == 1)
    assert (found[hidden] == 0).all()
    seen = outside & ~hidden
    assert torch.equal(found[seen], donors.images[seen])


def test_backmix_with_itself_and_a_full_mask_is_the_identity() -> None:
    images, masks, _ = _batch()
    full = torch.ones_like(masks)
    assert torch.equal(background("backmix")(images, full, Donors(images, full), torch.Generator()), images)


def test_backmix_with_itself_keeps_all_of_an_image() -> None:
    images, masks, _ = _batch()
    assert torch.equal(background("backmix")(images, masks, Donors(images, masks), torch.Generator()), images)


@pytest.mark.parametrize("name", ["noise", "shuffle"])
def test_the_generator_alone_decides(name: str) -> None:
    assert torch.equal(_done(name, 1)[0], _done(name, 1)[0])
    assert not torch.equal(_done(name, 1)[0], _done(name, 2)[0])


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match="'blur' is no background, there are none, black"):
        background("blur")
