"""What is done to the background of a frame, outside its sector, before it is learnt from (BackMix, steps 3 and b.4).

All take (n, 1, S, S) images in [0, 1], already augmented, masks (n, 1, S, S) of the same that are 1 inside the sector,
donors and a generator on the CPU, and return images; what lies inside the sector is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor

NOISE = 30 / 255  # the brightest grey level of noise
BOKEH = 0.74  # the authors' share of the background
FIXED = 5  # seed of the one sample that all noise is shuffled from


@dataclass(frozen=True)
class Donors:
    """For each image another one, or itself: (n, 1, S, S) as they are, not augmented, with their masks."""

    images: Tensor
    masks: Tensor


Background = Callable[["Tensor", "Tensor", Donors, "Generator"], "Tensor"]


def untouched(images: Tensor, masks: Tensor, donors: Donors, random: Generator) -> Tensor:  # noqa: ARG001
    """As it is."""
    return images


def black(images: Tensor, masks: Tensor, donors: Donors, random: Generator) -> Tensor:  # noqa: ARG001
    """Nothing outside the sector."""
    return images * masks


def noise(images: Tensor, masks: Tensor, donors: Donors, random: Generator) -> Tensor:  # noqa: ARG001
    """Dark noise: one fixed sample of it, shuffled for every image."""
    import torch

    pixels = images[0].numel()
    fixed = NOISE * torch.rand(pixels, generator=torch.Generator().manual_seed(FIXED))
    drawn = torch.stack([fixed[torch.randperm(pixels, generator=random)] for _ in images])
    return _composed(images, masks, drawn.view_as(images).to(images))


def bokeh(images: Tensor, masks: Tensor, donors: Donors, random: Generator) -> Tensor:  # noqa: ARG001
    """Darkened."""
    return _composed(images, masks, BOKEH * images)


def shuffled(images: Tensor, masks: Tensor, donors: Donors, random: Generator) -> Tensor:  # noqa: ARG001
    """Every image's own background pixels in another order."""
    import torch

    found = images.clone()
    for image, mask in zip(found, masks, strict=True):
        outside = mask == 0
        values = image[outside]
        image[outside] = values[torch.randperm(len(values), generator=random).to(values.device)]
    return found


def mixed(images: Tensor, masks: Tensor, donors: Donors, random: Generator) -> Tensor:  # noqa: ARG001
    """BackMix: the donor's background in the same place, black where the donor's sector lies."""
    return _composed(images, masks, donors.images * (1 - donors.masks))


def _composed(images: Tensor, masks: Tensor, outside: Tensor) -> Tensor:
    return masks * images + (1 - masks) * outside


BACKGROUNDS: dict[str, Background] = {
    "none": untouched,
    "black": black,
    "noise": noise,
    "bokeh": bokeh,
    "shuffle": shuffled,
    "backmix": mixed,
}


def background(name: str) -> Background:
    """One of them by name.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in BACKGROUNDS:
        raise ValueError(f"'{name}' is no background, there are {', '.join(BACKGROUNDS)}")
    return BACKGROUNDS[name]
