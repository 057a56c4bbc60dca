"""Fields mean what is written down: units, order, direction; and known maps have known Jacobians."""

from __future__ import annotations

import math

import pytest
import torch

from shared_models.registration.fields import (
    compose,
    folded_fraction,
    from_millimetres,
    identity_grid,
    integrate,
    jacobian_determinants,
    resized,
    to_millimetres,
    to_normalised,
    to_voxels,
    warp,
    warp_labels,
)


def linear_field(matrix: torch.Tensor, shift: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """u(p) = (A - 1) p + b in normalised positions."""
    grid = identity_grid(size, matrix)[0]
    moved = torch.einsum("ij,j...->i...", matrix, grid) + shift.view(-1, *[1] * len(size))
    return (moved - grid)[None]


def ramp(matrix: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """A linear image, which linear interpolation gives exactly."""
    return torch.einsum("i,i...->...", matrix, identity_grid(size, matrix)[0])[None, None]


def random_images(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(7, 9), (5, 6, 8)])
def test_a_field_of_zeros_is_the_identity(size: tuple[int, ...]) -> None:
    images = random_images(2, 3, *size)
    zeros = torch.zeros((2, len(size), *size))
    assert torch.allclose(warp(images, zeros, "border"), images, atol=1e-5)
    assert torch.equal(integrate(zeros), zeros)
    assert torch.allclose(jacobian_determinants(zeros), torch.ones((2, *size)))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_channel_moves_along_its_own_axis(axis: int) -> None:
    size = (5, 6, 7)
    images = random_images(1, 1, *size)
    field = torch.zeros((1, 3, *size))
    field[:, axis] = 2
    found = warp(images, to_normalised(field))
    kept = size[axis] - 2
    assert torch.allclose(found.narrow(axis + 2, 0, kept), images.narrow(axis + 2, 2, kept), atol=1e-5)
    assert found.narrow(axis + 2, kept, 2).abs().max() < 1e-5  # nothing lies outside


def test_what_lies_outside_is_nothing_or_the_border() -> None:
    images, field = torch.ones((1, 1, 4, 4)), torch.full((1, 2, 4, 4), 9.0)
    assert warp(images, field).abs().max() == 0
    assert torch.equal(warp(images, field, "border"), images)


def test_units() -> None:
    field = torch.ones((1, 3, 5, 9, 3))
    voxels = to_voxels(field)
    assert voxels[0, :, 0, 0, 0].tolist() == [2, 4, 1]
    assert to_millimetres(voxels, (0.5, 2.0, 3.0))[0, :, 1, 1, 1].tolist() == [1, 8, 3]
    assert torch.equal(from_millimetres(to_millimetres(voxels, (0.5, 2.0, 4.0)), (0.5, 2.0, 4.0)), voxels)
    assert torch.equal(to_normalised(voxels), field)


def test_composition_of_affine_maps_is_their_product() -> None:
    size = (9, 11)
    first, second = torch.tensor([[0.9, 0.1], [-0.05, 0.8]]), torch.tensor([[0.7, -0.1], [0.2, 0.6]])
    shift, other = torch.tensor([0.05, -0.02]), torch.tensor([-0.03, 0.04])
    found = compose(linear_field(first, shift, size), linear_field(second, other, size))
    assert torch.allclose(found, linear_field(first @ second, first @ other + shift, size), atol=1e-5)


def test_warping_twice_is_warping_by_the_composition() -> None:
    size = (9, 11)
    first = linear_field(torch.tensor([[0.9, 0.1], [-0.05, 0.8]]), torch.tensor([0.05, 0.0]), size)
    second = linear_field(torch.tensor([[0.7, -0.1], [0.2, 0.6]]), torch.tensor([0.0, 0.04]), size)
    images = ramp(torch.tensor([1.0, -2.0]), size)
    assert torch.allclose(warp(warp(images, first), second), warp(images, compose(first, second)), atol=1e-5)


@pytest.mark.parametrize("size", [(6, 8), (4, 5, 6)])
def test_a_constant_velocity_is_its_displacement(size: tuple[int, ...]) -> None:
    velocity = torch.linspace(-0.2, 0.3, len(size)).view(1, -1, *[1] * len(size)).expand(1, len(size), *size)
    assert torch.allclose(integrate(velocity), velocity, atol=1e-6)
    assert torch.allclose(integrate(velocity, coarseness=3), velocity, atol=1e-6)


def test_a_linear_velocity_becomes_its_exponential() -> None:
    """dp/dt = a p moves p to exp(a) p; the field stays linear, so only the steps in time are inexact."""
    rate = -0.5
    velocity = linear_field(torch.eye(2) * (1 + rate), torch.zeros(2), (9, 9))
    expected = linear_field(torch.eye(2) * (1 + rate / 128) ** 128, torch.zeros(2), (9, 9))
    assert torch.allclose(integrate(velocity), expected, atol=1e-5)
    exact = linear_field(torch.eye(2) * math.exp(rate), torch.zeros(2), (9, 9))
    assert (integrate(velocity) - exact).abs().max() < 2e-3
    assert torch.allclose(integrate(velocity, coarseness=2), expected, atol=1e-5)


@pytest.mark.parametrize("size", [(33, 25), (29, 25, 33)])
def test_a_coarser_grid_errs_by_the_square_of_its_spacing(size: tuple[int, ...]) -> None:
    def apart(size: tuple[int, ...]) -> float:
        lines = torch.meshgrid([torch.linspace(0, math.pi, n) for n in size], indexing="ij")
        wave = 0.15 * torch.stack([line.sin() for line in lines]).prod(dim=0)
        velocity = torch.stack([wave * (-1) ** k for k in range(len(size))])[None]
        exact, coarse = integrate(velocity), integrate(velocity, coarseness=2)
        assert folded_fraction(to_voxels(coarse)).item() == 0
        return (exact - coarse).abs().max().item() / exact.abs().max().item()

    finer = apart(tuple(2 * n - 1 for n in size))
    assert 0 < finer < apart(size) / 3 < 0.05


def test_a_field_is_the_same_linear_one_on_any_grid() -> None:
    def field(size: tuple[int, ...]) -> torch.Tensor:
        return linear_field(torch.tensor([[0.9, 0.1], [-0.05, 0.8]]), torch.tensor([0.05, 0.0]), size)

    assert torch.allclose(resized(field((9, 7)), (4, 12)), field((4, 12)), atol=1e-6)
    with pytest.raises(ValueError, match="a field is"):
        resized(torch.zeros(1, 3, 4, 4), (2, 2))


@pytest.mark.parametrize(
    "matrix",
    [[[1.1, 0.2], [-0.3, 0.9]], [[1.2, 0.1, 0.0], [0.2, 0.8, -0.1], [0.3, 0.0, 1.1]], [[-1.0, 0.0], [0.0, 1.0]]],
)
def test_the_jacobian_of_a_linear_map_is_its_determinant(matrix: list[list[float]]) -> None:
    known = torch.tensor(matrix)
    size = (5, 6, 7)[: len(matrix)]
    grid = torch.stack(torch.meshgrid([torch.arange(n, dtype=torch.float32) for n in size], indexing="ij"))
    field = (torch.einsum("ij,j...->i...", known, grid) - grid)[None]
    found = jacobian_determinants(field)
    assert found.shape == (1, *size)
    assert torch.allclose(found, known.det().expand_as(found), atol=1e-4)
    assert folded_fraction(field).tolist() == [float(known.det() <= 0)]


def test_the_share_of_folds_is_counted_pair_by_pair() -> None:
    field = torch.zeros((2, 2, 8, 8))
    field[1, 0, 4:] = -3  # rows 3 and 4 cross
    assert folded_fraction(field).tolist() == pytest.approx([0, 2 / 8])


def test_labels_follow_and_stay_labels() -> None:
    labels = torch.zeros((1, 6, 8), dtype=torch.long)
    labels[0, 2:4, 2:5], labels[0, 4:, 5:] = 7, 3
    field = torch.zeros((1, 2, 6, 8))
    field[:, 1] = 0.9  # nearly a column
    found = warp_labels(labels, to_normalised(field), (0, 3, 7))
    expected = torch.zeros_like(labels)
    expected[:, :, :-1] = labels[:, :, 1:]
    assert torch.equal(found, expected)
    assert found.dtype == labels.dtype


def test_between_three_labels_the_strongest_wins_not_their_mean() -> None:
    labels = torch.tensor([[[1, 1, 3, 3], [1, 1, 3, 3]]])
    field = torch.zeros((1, 2, 2, 4))
    field[:, 1, :, 1] = 0.4
    assert warp_labels(labels, to_normalised(field), (1, 2, 3)).tolist() == labels.tolist()


def test_labels_that_are_not_known() -> None:
    labels, field = torch.full((1, 4, 4), 5), torch.zeros((1, 2, 4, 4))
    with pytest.raises(ValueError, match=r"hold 5; the labels are 0, 1"):
        warp_labels(labels, field, (0, 1))
    with pytest.raises(ValueError, match="name the labels"):
        warp_labels(labels, field, ())


def test_what_is_no_field() -> None:
    for shape in ((1, 3, 4, 4), (1, 2, 4, 4, 4), (2, 4, 4)):
        with pytest.raises(ValueError, match=r"a field is \(B, 2, H, W\)"):
            to_voxels(torch.zeros(shape))
    with pytest.raises(ValueError, match="cannot be warped"):
        warp(torch.zeros((1, 1, 4, 4, 4)), torch.zeros((1, 2, 4, 4)))
    with pytest.raises(ValueError, match="cannot be warped"):
        warp(torch.zeros((2, 1, 4, 4)), torch.zeros((1, 2, 4, 4)))
    with pytest.raises(ValueError, match="axis of one voxel"):
        to_normalised(torch.zeros((1, 2, 1, 4)))


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 0.0), (1.0, -1.0), (1.0, math.nan), (1.0, math.inf)])
def test_a_spacing_that_does_not_go_with_the_field(spacing: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="does not go with"):
        to_millimetres(torch.zeros((1, 2, 4, 4)), spacing)


@pytest.mark.parametrize("size", [(5, 6), (3, 4, 5)])
def test_with_and_without_gradients_it_is_the_same(size: tuple[int, ...]) -> None:
    images = random_images(1, 1, *size)
    field = 0.3 * random_images(1, len(size), *size)
    learnt = warp(images, field.clone().requires_grad_())
    assert torch.equal(learnt.detach(), warp(images, field))
