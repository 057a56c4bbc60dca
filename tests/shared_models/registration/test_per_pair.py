"""Warps that are known are found from one pair alone, in 2D and 3D, by patches and by weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.registration.descent import Effort
from shared_models.registration.fields import folded_fraction, to_normalised, to_voxels, warp
from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.network import register
from shared_models.registration.pair_grids import Step
from shared_models.registration.per_pair import register_by_patch, register_by_weights
from shared_models.registration.random_warps import warped
from shared_models.registration.registration_loss import RegistrationLoss
from tests.shared_models.registration.textures import batched, error, known, texture

SQUARES = RegistrationLoss("mse", 1e-3)
SHORT = Effort(steps=30, patience=10)


@pytest.mark.parametrize("diffeomorphic", [False, True])
@pytest.mark.parametrize("loss", [SQUARES, RegistrationLoss("local_ncc", 0.1)], ids=lambda loss: loss.similarity)
def test_a_band_limited_warp_is_found(loss: RegistrationLoss, diffeomorphic: bool) -> None:
    moving, fixed, truth = known((48, 60), 6.0)
    found = register_by_patch(moving, fixed, loss, diffeomorphic=diffeomorphic, effort=SHORT)
    assert np.linalg.norm(truth, axis=0).mean() > 2
    assert error(found, truth) < 0.3
    assert folded_fraction(to_voxels(found.field)).item() == 0
    assert torch.equal(found.field, found.regularised) is not diffeomorphic
    assert not found.field.requires_grad


def test_a_warp_in_space_is_found() -> None:
    moving, fixed, truth = known((24, 26, 24), 4.0, modes=2)
    found = register_by_patch(moving, fixed, SQUARES, effort=SHORT)
    assert np.linalg.norm(truth, axis=0).mean() > 1
    assert error(found, truth) < 0.3


@pytest.mark.parametrize("shift", [(3, 0), (0, -4), (-2, 5)])
def test_a_shift_is_found_along_its_axes(shift: tuple[int, int]) -> None:
    whole = texture((64, 64))
    fixed, moving = whole[8:56, 8:56], whole[8 - shift[0] : 56 - shift[0], 8 - shift[1] : 56 - shift[1]]
    found = register_by_patch(batched(moving), batched(fixed), SQUARES, effort=SHORT)
    inside = to_voxels(found.field)[0, :, 8:-8, 8:-8]
    assert inside.mean(dim=(1, 2)).tolist() == pytest.approx(shift, abs=0.2)


@pytest.mark.parametrize("diffeomorphic", [False, True])
@pytest.mark.parametrize("similarity", ["mse", "self_similarity", "band_limited_mse"])
def test_equal_images_are_left_as_they_are(similarity: str, diffeomorphic: bool) -> None:
    image = batched(texture((32, 40)))
    found = register_by_patch(
        image, image, RegistrationLoss(similarity, 1e-2), diffeomorphic=diffeomorphic, effort=Effort(6, 3)
    )
    assert found.field.abs().max() == 0


def test_it_is_the_same_every_time() -> None:
    moving, fixed, _ = known((32, 32), 3.0)
    one, other = (register_by_patch(moving, fixed, SQUARES, effort=Effort(10)).field for _ in range(2))
    assert torch.equal(one, other)


def test_coarse_images_first_find_what_fine_ones_miss() -> None:
    moving, fixed, truth = known((48, 60), 9.0)
    coarse, fine = (register_by_patch(moving, fixed, SQUARES, sizes=sizes, effort=SHORT) for sizes in (None, (1,)))
    assert error(coarse, truth) < error(fine, truth) / 2


def test_a_smooth_warp_is_found_without_the_full_size() -> None:
    moving, fixed, truth = known((48, 60), 6.0, modes=2)
    told: list[Step] = []
    half = register_by_patch(
        moving, fixed, SQUARES, sizes=(4, 2), coarseness=2, effort=Effort(30, 30), watch=told.append
    )
    assert half.field.shape == (1, 2, 48, 60)
    assert error(half, truth) < 0.4 * np.linalg.norm(truth, axis=0).mean()
    assert {step.size for step in told} == {1, 2}


def test_a_stretch_is_found_at_the_edges_too() -> None:
    places = np.indices((48, 48)).astype(np.float32)
    truth, tissue = 0.12 * (24 - places), texture((48, 48))
    found = register_by_patch(batched(tissue), batched(warped(tissue, truth)), SQUARES, effort=SHORT)
    away = np.linalg.norm(to_voxels(found.field)[0].numpy() - truth, axis=0)
    assert away[:4].mean() < 0.5
    assert np.linalg.norm(truth, axis=0)[:4].mean() > 2


def test_it_goes_on_from_a_start() -> None:
    moving, fixed, truth = known((48, 60), 6.0)
    start = to_normalised(torch.from_numpy(truth)[None])
    begun = register_by_patch(moving, fixed, SQUARES, sizes=(1,), effort=Effort(1), start=start)
    assert error(begun, truth) < 0.05  # all of it is within the band of the patch
    again = register_by_patch(moving, fixed, SQUARES, sizes=(1,), effort=Effort(10), start=start)
    assert error(again, truth) < 0.2


def test_weights_of_a_network_are_brought_to_the_pair() -> None:
    torch.manual_seed(0)
    network = FourierNet(2, 4, diffeomorphic=True)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    moving, fixed, truth = known((32, 48), 3.0)
    found = register_by_weights(network, moving, fixed, SQUARES, rate=2e-3, effort=Effort(steps=60))
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    said = register(network, moving, fixed)
    unlike = [SQUARES.unlikeness(field, moving, fixed, "zeros").item() for field in (found.field, said)]
    assert unlike[0] < unlike[1] / 4
    assert error(found, truth) < 0.75 * float(np.linalg.norm(truth, axis=0).mean())


def test_steps_are_told() -> None:
    moving, fixed, _ = known((32, 32), 3.0)
    told: list[Step] = []
    register_by_patch(moving, fixed, SQUARES, sizes=(2, 1), effort=Effort(steps=3), watch=told.append)
    assert [each[:4] for each in told] == [((step + 2) // 3, 2, step, 6) for step in range(1, 7)]
    assert told[-1].loss < told[3].loss


def test_small_images_of_odd_sides_are_taken() -> None:
    for size in ((2, 3), (5, 17), (3, 2, 7)):
        moving, fixed = batched(texture(size, 1, 0.5)), batched(texture(size, 2, 0.5))
        found = register_by_patch(moving, fixed, SQUARES, diffeomorphic=True, effort=Effort(steps=3))
        assert found.field.shape == (1, len(size), *size)
        assert warp(moving, found.field).isfinite().all()


def test_what_is_no_pair() -> None:
    image = batched(texture((16, 16)))
    with pytest.raises(ValueError, match="bring them to one grid first"):
        register_by_patch(image, image[..., :12], SQUARES)
    with pytest.raises(ValueError, match="one pair of 2D or 3D images at a time, not"):
        register_by_patch(image.expand(2, -1, -1, -1), image.expand(2, -1, -1, -1), SQUARES)
    with pytest.raises(ValueError, match="the fixed image has values that are no numbers"):
        register_by_patch(image, image * float("nan"), SQUARES)
    with pytest.raises(ValueError, match="images divided by 2, 0: each by 1 or more"):
        register_by_patch(image, image, SQUARES, sizes=(2, 0))
    with pytest.raises(ValueError, match="images divided by nothing"):
        register_by_patch(image, image, SQUARES, sizes=())
    with pytest.raises(ValueError, match="0 voxels of an image to one of its patch: 1 or more"):
        register_by_patch(image, image, SQUARES, coarseness=0)
    with pytest.raises(ValueError, match=r"a start of \(1, 2, 8, 8\) for images of 16x16"):
        register_by_patch(image, image, SQUARES, start=torch.zeros(1, 2, 8, 8))
