"""A pair at several sizes: what is a pair, how small it gets, and that images stay what they were."""

from __future__ import annotations

import pytest
import torch

from shared_models.registration.pair_grids import (
    MARGIN,
    divided,
    halvings,
    require_pair,
    require_sizes,
    resampled,
    widened,
)
from tests.shared_models.registration.textures import batched, texture


@pytest.mark.parametrize(
    ("size", "sizes"), [((48, 60), [4, 2, 1]), ((160, 192), [8, 4, 2, 1]), ((2, 100), [1]), ((64, 24, 50), [2, 1])]
)
def test_images_are_halved_while_they_show_anything(size: tuple[int, ...], sizes: list[int]) -> None:
    assert halvings(size) == sizes


def test_no_axis_is_divided_to_less_than_two_voxels() -> None:
    assert divided((9, 40, 5), 4) == [2, 10, 2]


def test_a_margin_repeats_the_border() -> None:
    image = torch.arange(4.0).reshape(1, 1, 2, 2)
    found = widened(image)
    assert found.shape == (1, 1, 2 + 2 * MARGIN, 2 + 2 * MARGIN)
    assert found[0, 0, 0, 0] == 0
    assert found[0, 0, -1, -1] == 3
    assert torch.equal(found[..., MARGIN : MARGIN + 2, MARGIN : MARGIN + 2], image)


def test_a_resampled_image_is_as_bright_and_there_and_back_the_same() -> None:
    image = batched(texture((12, 10)))
    larger = resampled(image, (24, 30))
    assert larger.mean().item() == pytest.approx(image.mean().item(), abs=1e-5)
    assert torch.allclose(resampled(larger, (12, 10)), image, atol=1e-4)
    assert resampled(image, (12, 10)) is image


def test_what_is_no_pair() -> None:
    image = batched(texture((16, 16)))
    assert require_pair(image, image) == (16, 16)
    with pytest.raises(ValueError, match="bring them to one grid first"):
        require_pair(image, image[..., :12])
    with pytest.raises(ValueError, match="one pair of 2D or 3D images at a time, not"):
        require_pair(image.expand(2, -1, -1, -1), image.expand(2, -1, -1, -1))
    with pytest.raises(ValueError, match="the moving image has values that are no numbers"):
        require_pair(image * float("nan"), image)
    with pytest.raises(ValueError, match="images divided by nothing"):
        require_sizes(())
