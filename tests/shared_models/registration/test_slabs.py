"""Slabs are what the whole would be, at their seams and at the image's edges."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shared_models.registration.paths import ContractingPath, convolution
from shared_models.registration.slabs import in_slabs


@pytest.mark.parametrize("most", [1, 10**3, 10**9])
@pytest.mark.parametrize("size", [(16, 6, 8), (5, 7, 4), (9, 4, 6)])
@pytest.mark.parametrize("strides", [(1,), (2,), (1, 1, 2), (2, 1, 2)])
def test_seams_and_edges_do_not_show(strides: tuple[int, ...], size: tuple[int, ...], most: int) -> None:
    torch.manual_seed(0)
    widths = (2, 3, 17, 4)
    layers = [convolution(3, widths[k], widths[k + 1], stride) for k, stride in enumerate(strides)]
    images = [torch.randn((2, 1, *size)) for _ in range(2)]
    with torch.inference_mode():
        whole = nn.Sequential(*layers)(torch.cat(images, dim=1))
        assert torch.allclose(in_slabs(layers, images, most), whole, atol=1e-5)


def test_no_more_is_made_at_once_than_was_said() -> None:
    layers, images = [convolution(3, 2, 3), convolution(3, 3, 3, 2)], [torch.zeros((1, 1, 32, 4, 4))] * 2
    seen: list[int] = []
    layers[0].register_forward_hook(lambda _layer, _given, out: seen.append(out.shape[2]))
    with torch.inference_mode():
        in_slabs(layers, images, most=3 * 4 * 4 * 8)
    assert len(seen) == 4
    assert max(seen) == 8 + 4  # and what both layers see beyond the seams


@pytest.mark.parametrize("kept", [(), (1, 2)])
def test_a_path_is_the_same_with_and_without_gradients(kept: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    path = ContractingPath(3, 2, [(3, 3), (4, 4), (5, 6)])
    images = [torch.randn((1, 1, 20, 8, 12)) for _ in range(2)]
    learnt = path(images, kept)
    with torch.inference_mode():
        found = path(images, kept)
    assert len(found) == len(learnt) == len(kept) + 1
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(found, learnt, strict=True))
