"""Padded sizes divide; a field that is cut back moves by as many voxels."""

from __future__ import annotations

import pytest
import torch

from shared_models.registration.fields import to_normalised, to_voxels
from shared_models.registration.padding import cropped, padded


@pytest.mark.parametrize("size", [(15, 33), (16, 17, 31), (1, 2)])
def test_the_next_multiple_with_the_border_repeated(size: tuple[int, ...]) -> None:
    images = torch.rand((2, 1, *size), generator=torch.Generator().manual_seed(0))
    found = padded(images, 16)
    assert all(n % 16 == 0 and n - before < 16 for n, before in zip(found.shape[2:], size, strict=True))
    assert torch.equal(cropped_like(found, size), images)
    corners = [images.flatten(1), found.flatten(1)]
    assert torch.equal(*(corner[:, 0] for corner in corners))
    assert torch.equal(*(corner[:, -1] for corner in corners))


def cropped_like(images: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    for axis, n in enumerate(size, start=2):
        images = images.narrow(axis, (images.shape[axis] - n) // 2, n)
    return images


def test_what_fits_is_left_as_it_is() -> None:
    images = torch.zeros((1, 2, 16, 32))
    assert padded(images, 16) is images
    assert cropped(images, (16, 32)) is images


def test_a_field_that_is_cut_back_moves_by_as_many_voxels() -> None:
    voxels = torch.rand((1, 3, 16, 32, 16), generator=torch.Generator().manual_seed(0))
    found = to_voxels(cropped(to_normalised(voxels), (13, 20, 16)))
    assert found.shape == (1, 3, 13, 20, 16)
    assert torch.allclose(found, voxels[:, :, 1:14, 6:26], atol=1e-6)
