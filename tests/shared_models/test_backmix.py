"""Which items are mixed, with whom, and that what they count is one on average."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shared_models.backmix import Mixing, donors, loss_weights, masked_items


def test_every_nth_name_has_a_mask() -> None:
    names = [f"frame{number:03d}" for number in range(20)][::-1]
    chosen = masked_items(names, 0.2)
    assert [names[row] for row in np.flatnonzero(chosen)[::-1]] == ["frame000", "frame005", "frame010", "frame015"]
    assert masked_items(names, 1.0).all()
    assert masked_items(names, 0.01).sum() == 1


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_no_share(share: float) -> None:
    with pytest.raises(ValueError, match="is no share of items"):
        masked_items(["a"], share)


def test_donors_have_masks_and_all_of_them_are_drawn() -> None:
    masked = np.array([True, False, True, False, True])
    drawn = donors(masked, 500, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == {0, 2, 4}
    assert np.bincount(drawn, minlength=5)[[0, 2, 4]].min() > 120


def test_nobody_to_give_a_background() -> None:
    with pytest.raises(ValueError, match="no item has a mask"):
        donors(np.zeros(3, dtype=np.bool_), 1, torch.Generator())


def test_the_weights_of_the_paper() -> None:
    mixed = torch.tensor([True, False])
    assert loss_weights(mixed, 1.0, 0.05).tolist() == pytest.approx([1.95, 0.95])
    assert loss_weights(mixed, 2.0, 0.05).tolist() == pytest.approx([2.90, 0.90])


@given(st.floats(0.0, 10.0), st.sampled_from([0.01, 0.05, 0.1]))
def test_the_mean_weight_is_one(strength: float, share: float) -> None:
    if strength * share >= 1:
        with pytest.raises(ValueError, match="too much"):
            loss_weights(torch.tensor([True]), strength, share)
        return
    mixed = torch.arange(1000) < 1000 * share
    assert loss_weights(mixed, strength, share).mean().item() == pytest.approx(1.0, abs=1e-5)


def _square() -> np.ndarray:
    """(6, 4, 4): a sector in the middle of the even items, none of the odd ones."""
    sectors = np.zeros((6, 4, 4), dtype=np.bool_)
    sectors[::2, 1:3, 1:3] = True
    return sectors


def test_items_with_a_mask_are_given_the_background_of_items_with_a_mask() -> None:
    """Item i is grey level i / 10, so that a background tells whose it is."""
    mixing, rows = Mixing("backmix", 0.0, _square()), np.arange(6)
    grey = torch.arange(6).view(6, 1, 1, 1) / 10 * torch.ones(6, 1, 4, 4)
    seen = set()
    for seed in range(20):
        random = torch.Generator().manual_seed(seed)
        found = mixing.mixed(rows, grey, mixing.masks(rows), lambda given: grey[given], random)
        assert torch.equal(found[1::2], grey[1::2])
        assert torch.equal(found[:, :, 1:3, 1:3], grey[:, :, 1:3, 1:3])
        seen |= {round(10 * float(one)) for one in found[::2, 0, 0, 0]}
    assert seen == {0, 2, 4}


def test_a_batch_without_a_mask_stays_and_draws_nothing() -> None:
    mixing, rows = Mixing("backmix", 0.0, _square()), np.array([1, 3])
    images, random = torch.rand(2, 1, 4, 4), torch.Generator().manual_seed(0)
    before = random.get_state()
    assert mixing.mixed(rows, images, mixing.masks(rows), lambda _: images, random) is images
    assert torch.equal(random.get_state(), before)


def test_of_images_that_are_black_outside_the_sector_backmix_makes_what_black_makes() -> None:
    """What intake leaves of a hospital's images: no donor has a background to give."""
    sectors, rows = np.ones((3, 8, 8), dtype=np.bool_), np.arange(3)
    sectors[0, :, :3] = sectors[1, 5:] = sectors[2, :2] = False
    grey = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * torch.from_numpy(sectors).unsqueeze(1)
    found = [
        Mixing(name, 0.0, sectors).mixed(
            rows,
            grey + 0.1,
            torch.from_numpy(sectors).unsqueeze(1).float(),
            lambda given: grey[given],
            torch.Generator(),
        )
        for name in ("backmix", "black")
    ]
    assert torch.equal(*found)


def test_what_items_count() -> None:
    mixing = Mixing("backmix", 1.0, _square())
    assert mixing.share == 0.5
    assert mixing.weights(np.array([0, 1])).tolist() == [1.5, 0.5]
    assert Mixing("backmix", 5.0, np.ones((2, 4, 4), dtype=np.bool_)).weights(np.arange(2)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("name", "strength", "sectors", "message"),
    [
        ("blur", 0.0, _square(), "'blur' is no background"),
        ("backmix", 0.0, None, "the sector of no image is known"),
        ("backmix", 0.0, np.zeros((2, 4, 4), dtype=np.bool_), "the sector of no image is known"),
        ("backmix", -1.0, _square(), "is negative"),
        ("backmix", 2.0, _square(), "is too much; less than 2"),
    ],
)
def test_what_cannot_be_mixed(name: str, strength: float, sectors: np.ndarray | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mixing(name, strength, sectors)
