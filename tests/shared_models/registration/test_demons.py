"""Forces find warps that are known, in 2D and 3D, bound as they are published, and leave equal images alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.registration.demons import Demons, force, gradient, measured, register_by_demons, smoothed
from shared_models.registration.fields import folded_fraction, integrate, to_voxels, warp
from shared_models.registration.pair_grids import Step
from tests.shared_models.registration.textures import batched, error, known, texture

SIZES = [(48, 60), (32, 36, 32)]


@pytest.mark.parametrize("diffeomorphic", [False, True])
@pytest.mark.parametrize("window", [0.0, 5.0])
@pytest.mark.parametrize("size", SIZES)
def test_a_warp_is_found(size: tuple[int, ...], window: float, diffeomorphic: bool) -> None:
    moving, fixed, truth = known(size, 4.0, modes=2)
    found = register_by_demons(moving, fixed, Demons(window=window, diffeomorphic=diffeomorphic))
    assert np.linalg.norm(truth, axis=0).mean() > 1
    assert error(found, truth) < 0.35 * np.linalg.norm(truth, axis=0).mean()
    assert folded_fraction(to_voxels(found.field)).item() == 0
    assert torch.equal(found.field, found.regularised) is not diffeomorphic


def test_a_field_is_the_integral_of_the_velocity_that_is_said() -> None:
    moving, fixed, _ = known((48, 60), 4.0)
    found = register_by_demons(moving, fixed, Demons(diffeomorphic=True))
    assert torch.allclose(found.field, integrate(found.regularised), atol=0.02)


def test_half_the_size_finds_most_of_it() -> None:
    moving, fixed, truth = known((48, 60), 6.0, modes=2)
    found = register_by_demons(moving, fixed, Demons(finest=2))
    assert found.field.shape == (1, 2, 48, 60)
    assert error(found, truth) < 0.35 * np.linalg.norm(truth, axis=0).mean()


def test_it_goes_on_from_a_start() -> None:
    moving, fixed, truth = known((48, 60), 4.0, modes=2)
    begun = register_by_demons(moving, fixed)
    few = Demons((1, 1, 1))
    on = error(register_by_demons(moving, fixed, few, start=begun.regularised), truth)
    assert on < 1.5 * error(begun, truth)  # coarse images hold not all of it
    assert on < 0.7 * error(register_by_demons(moving, fixed, few), truth)


@pytest.mark.parametrize(
    ("size", "finest", "course"),
    [
        ((48, 60), 1, [(4, 40), (2, 30), (1, 10)]),
        ((160, 192), 1, [(8, 40), (4, 40), (2, 30), (1, 10)]),
        ((48, 60), 2, [(4, 40), (2, 30)]),
        ((9, 9), 1, [(1, 10)]),
        ((9, 9), 2, [(2, 30)]),
    ],
)
def test_small_sizes_come_first_and_take_most_steps(
    size: tuple[int, int], finest: int, course: list[tuple[int, int]]
) -> None:
    assert Demons(finest=finest).course(size) == course


@pytest.mark.parametrize("window", [0.0, 5.0])
def test_equal_images_and_flat_ones_are_left_as_they_are(window: float) -> None:
    image, flat = batched(texture((24, 30))), torch.full((1, 1, 24, 30), 0.5)
    for same in (image, flat, batched(texture((48, 60)))):
        rounding = to_voxels(register_by_demons(same, same, Demons(window=window)).field)
        assert rounding.abs().max() < 1e-3


def test_a_window_takes_grey_levels_that_are_linear_maps_of_each_other() -> None:
    moving, fixed, truth = known((48, 60), 4.0, modes=2)
    darker = 0.3 + 0.4 * fixed
    aware = error(register_by_demons(moving, darker, Demons()), truth)
    assert aware < 0.5
    assert aware < 0.5 * error(register_by_demons(moving, darker, Demons(window=0)), truth)


def test_no_force_is_longer_than_half_a_voxel() -> None:
    seen, wanted = (batched(texture((20, 22, 24), seed, 0.5)) for seed in (1, 2))
    found = force(seen, wanted, gradient(wanted), 1e-4)
    lengths = torch.linalg.vector_norm(found, dim=1)
    assert 0.1 < lengths.max() <= 0.5 + 1e-5


def test_a_force_leads_up_the_slope_by_what_greys_differ() -> None:
    """Along a ramp of one grey a voxel, where the difference is one as well, by half a voxel: the most there is."""
    ramp = torch.arange(12.0).reshape(1, 1, 12, 1).expand(1, 1, 12, 8)
    found = force(ramp - 1, ramp, gradient(ramp), 1e-4)
    assert torch.allclose(found[:, 0], torch.full((1, 12, 8), 0.5), atol=1e-3)
    assert not found[:, 1].any()


def test_a_gaussian_keeps_what_is_flat_and_brings_it_to_any_size() -> None:
    flat = torch.full((1, 2, 9, 10, 11), 3.0)
    assert torch.allclose(smoothed(flat, 2.0), flat)
    assert torch.allclose(smoothed(flat, 2.0, (4, 5, 6)), torch.full((1, 2, 4, 5, 6), 3.0))


def test_a_point_becomes_a_gaussian() -> None:
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1
    found, deviation = smoothed(point, 2.0)[0, 0], 2.0
    away = (torch.arange(41) - 20.0) ** 2
    wanted = torch.exp(-(away[:, None] + away) / (2 * deviation**2)) / (2 * torch.pi * deviation**2)
    assert torch.allclose(found, wanted, atol=1e-5)


def test_neighbourhoods_measure_away_gain_and_offset() -> None:
    image = batched(texture((32, 32), 1, 0.5))
    assert torch.allclose(measured(image, 3.0), measured(image + 2, 3.0), atol=1e-2)
    assert measured(image, 0) is image


def test_it_is_taken_at_small_odd_sizes_and_the_same_every_time() -> None:
    for size in ((5, 7), (3, 9, 5)):
        moving, fixed = batched(texture(size, 1, 0.5)), batched(texture(size, 2, 0.5))
        first, second = (register_by_demons(moving, fixed).field for _ in range(2))
        assert first.shape == (1, len(size), *size)
        assert torch.equal(first, second)
        assert warp(moving, first).isfinite().all()


def test_steps_are_told() -> None:
    moving, fixed, _ = known((32, 32), 3.0)
    told: list[Step] = []
    register_by_demons(moving, fixed, Demons((3, 2, 1)), watch=told.append)
    assert [each[:4] for each in told] == [(1, 2, 1, 5), (1, 2, 2, 5), *[(2, 2, step, 5) for step in (3, 4, 5)]]
    assert told[-1].loss < told[2].loss


def test_what_cannot_be_sought() -> None:
    with pytest.raises(ValueError, match=r"steps \(0, 1, 2\), at last divided by 1: three numbers"):
        Demons((0, 1, 2))
    with pytest.raises(ValueError, match="smoothing by 0 in windows of 5: above 0, and 0 or more"):
        Demons(smoothing=0)
    image = batched(texture((8, 8)))
    with pytest.raises(ValueError, match=r"a start of \(1, 2, 4, 4\) for images of 8x8"):
        register_by_demons(image, image, start=torch.zeros(1, 2, 4, 4))
    with pytest.raises(ValueError, match="one pair of 2D or 3D images at a time"):
        register_by_demons(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8))
