"""What is changed at random in an image that an expert learns from (Bransby et al., a.5).

Turned by up to 30 degrees with its border drawn on, mirrored or not, and given another contrast and brightness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared_models.phantom.augmentation import chosen, uniform

if TYPE_CHECKING:
    from torch import Generator, Tensor

ANGLE = 0.5235987755982988  # 30 degrees in radians
MIRRORED = 0.5  # share of the images
GREY = 0.15  # of contrast, as a factor, and of brightness, as a share of white


def augmented(images: Tensor, random: Generator) -> Tensor:
    """(n, 1, S, S) in [0, 1] to as many, changed; the generator alone decides how."""
    change = _drawn(images, random)
    return regraded(turned(images, change.angle, change.side), change.contrast, change.brightness)


def augmented_with_masks(images: Tensor, masks: Tensor, random: Generator) -> tuple[Tensor, Tensor]:
    """The same images, and masks (n, 1, S, S) turned as they are, each pixel the nearest."""
    change = _drawn(images, random)
    shown = regraded(turned(images, change.angle, change.side), change.contrast, change.brightness)
    return shown, turned(masks, change.angle, change.side, between="nearest")


@dataclass(frozen=True)
class _Change:
    """Of each image the angle in radians (n,), -1 where it is mirrored (n,), contrast and brightness (n, 1, 1, 1)."""

    angle: Tensor
    side: Tensor
    contrast: Tensor
    brightness: Tensor


def _drawn(images: Tensor, random: Generator) -> _Change:
    return _Change(
        angle=uniform(images, -ANGLE, ANGLE, random).flatten(),
        side=1 - 2 * chosen(images, MIRRORED, random).flatten(),
        contrast=uniform(images, 1 - GREY, 1 + GREY, random),
        brightness=uniform(images, -GREY, GREY, random),
    )


def turned(
    images: Tensor, angle: Tensor, side: Tensor, *, between: Literal["bicubic", "nearest"] = "bicubic"
) -> Tensor:
    """Turned anticlockwise about the middle by angles (n,) in radians, then mirrored left to right where side is -1.

    Values between pixels are interpolated, or of masks the nearest; what comes in from outside is the nearest border
    pixel.
    """
    import torch
    from torch.nn import functional

    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = [torch.stack([side * cos, -sin, zero], 1), torch.stack([side * sin, cos, zero], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    found = functional.grid_sample(images, grid, mode=between, padding_mode="border", align_corners=False)
    return found.clamp(0, 1) if between == "bicubic" else found


def regraded(images: Tensor, contrast: Tensor, brightness: Tensor) -> Tensor:
    """Values times contrast (n, 1, 1, 1) plus brightness, cut to [0, 1]."""
    return (images * contrast + brightness).clamp(0, 1)
