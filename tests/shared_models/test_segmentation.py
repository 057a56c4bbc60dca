"""Image and mask stay together, a U-Net learns discs, and what it says of images adds up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.recipe import Recipe
from shared_models.segmentation import (
    DICE,
    Masked,
    SegmentationTask,
    at_side,
    augmented,
    enlarged,
    marginal,
    normalised,
    segmented,
)
from shared_models.training import train
from shared_models.unet import unet

SIDE = 32


def _discs(count: int, seed: int = 0, side: int = SIDE) -> Masked:
    """A bright disc beside a ring, in noise, at random places."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    images, masks = [], []
    for _ in range(count):
        y, x = random.uniform(0.35, 0.65, 2) * side
        distance = np.hypot(rows - y, columns - x) / side
        mask = np.where(distance < 0.15, 1, np.where(distance < 0.25, 2, 0)).astype(np.uint8)
        grey = np.array([60, 140, 220])[mask] + random.normal(0, 12, mask.shape)
        images.append(grey.clip(0, 255).astype(np.uint8))
        masks.append(mask)
    return Masked(np.stack(images), np.stack(masks))


def test_image_and_mask_are_turned_together() -> None:
    given = _discs(6)
    masks = torch.from_numpy(given.masks).unsqueeze(1).float()
    shown, turned = augmented(masks / 2, masks, torch.Generator().manual_seed(3))
    assert set(turned.unique().tolist()) <= {0.0, 1.0, 2.0}
    assert not torch.equal(turned, masks)
    for image, mask in zip(shown, turned, strict=True):
        bright, dark = image[mask == 2].mean(), image[mask == 0].mean()
        assert bright > dark + 0.5


def test_no_gain_and_no_offset_matters() -> None:
    images = torch.rand((3, 1, 8, 8))
    assert torch.allclose(normalised(images), normalised(0.3 * images + 0.2), atol=1e-5)
    assert torch.isfinite(normalised(torch.zeros((1, 1, 8, 8)))).all()


def test_masks_are_brought_to_a_side_without_new_values() -> None:
    given = at_side(_discs(2, side=48), SIDE)
    assert given.images.shape == given.masks.shape == (2, SIDE, SIDE)
    assert set(np.unique(given.masks)) == {0, 1, 2}
    shares = [(masks == 1).mean() for masks in (given.masks, _discs(2, side=48).masks)]
    assert shares[0] == pytest.approx(shares[1], rel=0.1)


def test_it_learns_and_says_how_sure_it_is() -> None:
    torch.manual_seed(0)
    network = unet(3, SIDE, width=8, levels=3)
    task = SegmentationTask(network, SIDE, _discs(32), _discs(8, seed=1))
    before = task.validate()[DICE]
    trained = train(task, Recipe(epochs=12, batch=8, rate=1e-2, seed=0, optimiser="adam", metric=DICE), device="cpu")
    assert before < 0.6
    assert trained.history[trained.best_epoch - 1][DICE] > 0.85
    found = segmented(network, _discs(40, seed=2).images)
    assert found.probabilities.shape == (40, 3, SIDE, SIDE)
    assert np.abs(found.probabilities.sum(axis=1) - 1).max() < 1e-5
    assert found.features.shape == (40, 32)
    assert (found.labels == _discs(40, seed=2).masks).mean() > 0.9


def test_what_is_not_labelled_counts_as_background() -> None:
    logits = torch.randn((2, 4, 3, 3), generator=torch.Generator().manual_seed(1))
    labelled = torch.tensor([[True, True, False, False], [False, True, True, True]])
    own, heard = logits.softmax(dim=1), marginal(logits, labelled).softmax(dim=1)
    assert torch.allclose(heard[0, 0], own[0, [0, 2, 3]].sum(dim=0))
    assert torch.allclose(heard[0, 1], own[0, 1])
    assert not heard[0, 2:].any()
    assert torch.allclose(heard[1], own[1])


def test_who_labels_all_structures_hears_the_logits_as_they_are() -> None:
    logits = torch.randn((2, 3, 3, 3))
    assert marginal(logits, torch.ones((2, 3), dtype=torch.bool)) is logits


def test_a_site_that_labels_one_structure_pulls_nothing_from_background_to_the_other() -> None:
    torch.manual_seed(0)
    network = unet(3, SIDE, width=4, levels=2)
    given = _discs(4)
    some = Masked(given.images, np.where(given.masks == 1, 1, 0).astype(np.uint8), labelled=(1,))
    rows, device = np.arange(4), torch.device("cpu")
    gradients = []
    for each in (some, Masked(some.images, some.masks)):
        captured: list[torch.Tensor] = []
        hook = network.register_forward_hook(lambda _m, _i, out, to=captured: (out.retain_grad(), to.append(out))[0])
        SegmentationTask(network, SIDE, each).loss(rows, torch.Generator().manual_seed(0), device).backward()
        hook.remove()
        assert captured[0].grad is not None
        outside = captured[0].grad[:, :, 0, 0]  # a corner, which is background
        gradients.append(outside / outside.abs().sum())
    wrong_way = [float(grad[:, 2].mean()) for grad in gradients]
    assert wrong_way[0] < 0 < wrong_way[1]  # more of the other structure lowers the marginal loss, and raises the plain


def test_sites_that_label_different_structures_are_pooled() -> None:
    torch.manual_seed(0)
    network = unet(3, SIDE, width=8, levels=3)
    full, other = _discs(24), _discs(24, seed=1)
    some = Masked(other.images, np.where(other.masks == 1, 1, 0).astype(np.uint8), labelled=(1,))
    task = SegmentationTask(network, SIDE, [full, some], [_discs(8, seed=2), some])
    train(task, Recipe(epochs=12, batch=8, rate=1e-2, seed=0, optimiser="adam"), device="cpu")
    assert task.examples == 48
    assert task.validate()[DICE] > 0.85
    found = segmented(network, other.images).labels
    assert (found == 2)[other.masks == 2].mean() > 0.8


def test_a_penalty_is_added() -> None:
    network, given = unet(3, SIDE, width=2, levels=2), _discs(2)
    plain, held = (
        SegmentationTask(network, SIDE, given, penalty=penalty).loss(
            np.arange(2), torch.Generator().manual_seed(0), torch.device("cpu")
        )
        for penalty in (None, lambda _network, _shown, logits: logits.new_tensor(3.0))
    )
    assert float((held - plain).detach()) == pytest.approx(3.0, abs=1e-5)


def test_without_validation_there_is_no_figure() -> None:
    assert SegmentationTask(unet(3, SIDE, width=2, levels=2), SIDE, _discs(2)).validate() == {}


def test_probabilities_on_the_pixels_of_the_image() -> None:
    given = np.zeros((2, 4, 4), dtype=np.float32)
    given[1, :, 2:] = 1
    given[0] = 1 - given[1]
    found = enlarged(given, (6, 8))
    assert found.shape == (2, 6, 8)
    assert np.allclose(found.sum(axis=0), 1)
    assert np.allclose(found[1], np.broadcast_to([0, 0, 0, 0.25, 0.75, 1, 1, 1], (6, 8)))
    assert np.array_equal(enlarged(given, (4, 4)), given)


def test_what_cannot_be_learnt_from() -> None:
    given = _discs(2)
    with pytest.raises(ValueError, match="images are \\(2, 32, 32\\), their masks \\(1, 32, 32\\)"):
        at_side(Masked(given.images, given.masks[:1]), SIDE)
    with pytest.raises(ValueError, match="all masks are empty"):
        at_side(Masked(given.images, np.zeros_like(given.masks)), SIDE)
    with pytest.raises(ValueError, match="masks hold structure 2, which is not labelled"):
        at_side(Masked(given.images, given.masks, labelled=(1,)), SIDE)
