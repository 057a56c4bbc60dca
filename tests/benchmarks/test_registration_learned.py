"""Fields of networks mean the same to their own warp and to ours, and are learnt from in any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.registration_learned import (
    LEARNED,
    LOCALNET,
    MONAI,
    VOXELMORPH,
    VOXELMORPH_DIFF,
    Peer,
    _together,
)
from shared_models.registration.fields import integrate, to_normalised, to_voxels, warp
from tests.benchmarks.registration_toys import SHAPES, blobs, shift, swirl


def of(name, dimensions):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return LEARNED[name](dimensions).eval()


def own_warp(network):
    return network.inner.spatial_transformer if hasattr(network.inner, "spatial_transformer") else network.inner.warp


@pytest.mark.parametrize("name", [VOXELMORPH, MONAI])
@pytest.mark.parametrize("shape", SHAPES, ids=["2D", "3D"])
def test_its_warp_and_ours_agree(name, shape) -> None:
    image, field = torch.from_numpy(blobs(shape))[None, None], torch.from_numpy(swirl(shape))[None]
    theirs = own_warp(of(name, len(shape)))(image, field)
    torch.testing.assert_close(theirs, warp(image, to_normalised(field)), atol=1e-4, rtol=0)
    assert (theirs - image).abs().max() > 0.1


@pytest.mark.parametrize("name", [VOXELMORPH_DIFF])
@pytest.mark.parametrize("shape", SHAPES, ids=["2D", "3D"])
def test_its_integration_and_ours_agree(name, shape) -> None:
    velocity = torch.from_numpy(swirl(shape))[None]
    theirs = of(name, len(shape))._integrate(velocity)
    ours = to_voxels(integrate(to_normalised(velocity)))
    torch.testing.assert_close(theirs, ours, atol=1e-3, rtol=0)
    assert (theirs - velocity).abs().max() > 0.05


@pytest.mark.parametrize("name", LEARNED)
def test_it_is_asked_and_learnt_in_any_size(name) -> None:
    network = of(name, 2).train()
    images = torch.rand(2, 1, 20, 36, generator=torch.Generator().manual_seed(0))
    said = network(images, images.flip(0))
    assert said.field.shape == said.regularised.shape == (2, 2, 20, 36)
    assert to_voxels(said.field).abs().max() < 0.05  # begins with next to no movement
    weights = torch.rand(said.field.shape, generator=torch.Generator().manual_seed(1))
    (said.field * weights).sum().backward()
    assert any(bool(weight.grad.abs().max() > 0) for weight in network.parameters() if weight.grad is not None)


@pytest.mark.parametrize("name", LEARNED)
def test_it_begins_in_3d_with_the_parameters_told(name) -> None:
    counts = {VOXELMORPH: 250_233, LOCALNET: 1_500_400, MONAI: 244_323}
    network = of(name, 3)
    alike = {VOXELMORPH_DIFF: VOXELMORPH}.get(name, name)
    assert sum(weight.numel() for weight in network.parameters()) == counts[alike]


def test_a_field_of_padded_images_is_the_images_own() -> None:
    class Still(torch.nn.Module):
        def forward(self, both):
            return torch.from_numpy(shift(both.shape[2:], (2.0, -1.0)))[None]

    images = torch.zeros(1, 1, 20, 36)
    said = Peer(2, Still(), _together(Still()))(images, images)
    np.testing.assert_allclose(to_voxels(said.field)[0], shift((20, 36), (2.0, -1.0)), atol=1e-5)
