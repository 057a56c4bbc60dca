"""Which items are mixed, with whom, and that what they count is one on average."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shared_models.backmix import donors, loss_weights, masked_items


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
