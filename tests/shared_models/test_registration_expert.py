"""The expert of registration: its state, its features, and means of velocities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.image_reference import MEAN
from shared_models.registration.fields import folded_fraction, integrate, to_normalised, to_voxels
from shared_models.registration.fourier_net import FourierNet
from shared_models.registration_expert import diff_fourier_net, mean_field, velocities, velocity_at


def _network(side: int = 32, width: int = 2) -> FourierNet:
    torch.manual_seed(0)
    network = diff_fourier_net(side, width)
    assert isinstance(network, FourierNet)
    return network


def _images(seed: int, count: int = 3, side: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8)


def test_the_paper_s_small_network_carries_a_reference_and_nothing_else() -> None:
    network = diff_fourier_net(96)
    assert sum(weights.numel() for weights in network.parameters()) == 357_408  # Jia et al., 2D, 8 channels
    assert network.get_buffer(MEAN).shape == (64,)
    plain = set(FourierNet(2, 8, diffeomorphic=True).state_dict())
    assert all(name.startswith("reference_") for name in set(network.state_dict()) - plain)


@pytest.mark.parametrize("change", [{"side": 4}, {"side": 2000}, {"width": 0}, {"width": 65}])
def test_sizes_that_are_absurd_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a network of registration of"):
        diff_fourier_net(**{"side": 32, **change})
    with pytest.raises(TypeError, match="no whole number"):
        diff_fourier_net(32.0)  # type: ignore[arg-type]


def test_velocities_are_those_of_the_network_and_features_of_the_deepest_layer() -> None:
    network = _network().train()
    moving, fixed = _images(1, 20), _images(2, 20)
    said = velocities(network, moving, fixed)
    assert network.training
    pair = [torch.from_numpy(images)[:, None].float() / 255 for images in (moving, fixed)]
    with torch.no_grad():
        torch.testing.assert_close(said.velocities, network(*pair).regularised)
        deepest = network.contracting(pair)[-1].mean(dim=(2, 3))
    np.testing.assert_allclose(said.features, deepest.numpy(), rtol=1e-5, atol=1e-7)
    assert said.features.shape == (20, 16)


def test_a_shift_of_a_stretched_image_is_as_many_pixels_of_its_own() -> None:
    """Two pixels of 32 are six of 96 down and five of 80 to the right, everywhere."""
    shift = to_normalised(torch.full((1, 2, 32, 32), 2.0))
    found = to_voxels(velocity_at(shift, (96, 80)))
    torch.testing.assert_close(found[0, 0], torch.full((96, 80), 6.0))
    torch.testing.assert_close(found[0, 1], torch.full((96, 80), 5.0))


def test_a_velocity_is_where_its_pixel_is() -> None:
    """Pixels are areas: p of a size lies at (p + 1/2) S / N - 1/2 of the side."""
    line = torch.arange(32.0)
    ramp = to_normalised(torch.stack([line[:, None].expand(32, 32), line.expand(32, 32)])[None])
    found = to_voxels(velocity_at(ramp, (64, 48)))
    rows = ((torch.arange(64) + 0.5) * 32 / 64 - 0.5).clamp(0, 31) * 64 / 32
    columns = ((torch.arange(48) + 0.5) * 32 / 48 - 0.5).clamp(0, 31) * 48 / 32
    torch.testing.assert_close(found[0, 0, :, 5], rows)
    torch.testing.assert_close(found[0, 1, 7], columns)


def test_the_mean_of_equal_velocities_is_what_one_says() -> None:
    velocity = velocities(_network(), _images(1, 1), _images(2, 1)).velocities
    alone = to_voxels(integrate(velocity))[0].numpy()
    np.testing.assert_allclose(mean_field([velocity, velocity], [0.3, 0.7]), alone, atol=1e-5)


def test_opposite_velocities_of_equal_weight_leave_everything_where_it_is() -> None:
    velocity = velocities(_network(), _images(1, 1), _images(2, 1)).velocities
    assert velocity.any()
    assert not mean_field([velocity, -velocity], [0.5, 0.5]).any()


def test_the_exponential_of_mean_velocities_folds_nowhere_where_mean_displacements_do() -> None:
    """Two turns about the centre by 135 degrees, to either side, have a point as the mean of their displacements."""
    line = torch.arange(64.0) - 31.5
    down, right = torch.meshgrid(line, line, indexing="ij")
    near = torch.exp(-(((down**2 + right**2) / 20**2) ** 2))
    turn = 0.75 * torch.pi * torch.stack([right, -down])[None] * near
    turns = [to_normalised(turn), to_normalised(-turn)]
    apart = (to_voxels(integrate(turns[0])) + to_voxels(integrate(turns[1]))) / 2
    assert float(folded_fraction(apart)) > 0.01
    for shares in ([0.5, 0.5], [0.8, 0.2], [1.0, 0.0]):
        fused = torch.from_numpy(mean_field(turns, shares))[None]
        assert float(folded_fraction(fused)) == 0.0


def test_what_has_learnt_nothing_moves_next_to_nothing() -> None:
    said = velocities(_network(96, 8), _images(1, 2, 96), _images(2, 2, 96))
    pixels = to_voxels(said.velocities).abs().max()
    assert 0 < pixels < 0.2
