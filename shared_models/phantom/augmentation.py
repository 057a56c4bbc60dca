"""What is changed at random in a phantom frame before it is learnt from, so that no scanner's habit can be relied on.

All functions take and return (N, 1, S, S) float32 tensors with values in [0, 1], 0 outside the sector. Positions run
from -1 to 1 along both edges of the square, as in torch's `grid_sample`. Random numbers are drawn on the CPU, wherever
the images are, so that every device draws the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor


def augmented(images: Tensor, random: Generator) -> Tensor:
    """A batch with everything below done to it."""
    images = narrowed(images, random)
    images = moved(images, random)
    images = shaded(images, random)
    images = boxed(images, random)
    images = regraded(images, random)
    return blurred(images, random)


def uniform(images: Tensor, low: float, high: float, random: Generator) -> Tensor:
    """One number an image, (N, 1, 1, 1)."""
    import torch

    return low + (high - low) * torch.rand((len(images), 1, 1, 1), generator=random).to(images.device)


def chosen(images: Tensor, share: float, random: Generator) -> Tensor:
    """Which images something happens to, (N, 1, 1, 1) of 0 and 1."""
    return (uniform(images, 0.0, 1.0, random) < share).float()


def places(images: Tensor) -> tuple[Tensor, Tensor]:
    """The y (1, 1, S, 1) and x (1, 1, 1, S) of every pixel's centre."""
    import torch

    side = images.shape[-1]
    line = (torch.arange(side, device=images.device) + 0.5) * 2 / side - 1
    return line.view(1, 1, -1, 1), line.view(1, 1, 1, -1)


def wedge(images: Tensor, random: Generator, *, half: tuple[float, float], aim: float) -> Tensor:
    """The angle of every pixel seen from near the top's middle, 0 on a random ray, 1 at a random half-width."""
    import torch

    y, x = places(images)
    angle = torch.atan2(x - uniform(images, -0.15, 0.15, random), y + uniform(images, 1.0, 1.2, random))
    return (angle - uniform(images, -aim, aim, random)).abs() / uniform(images, *half, random)


def narrowed(images: Tensor, random: Generator) -> Tensor:
    """Another, smaller sector: narrower, steered, less deep; it fills the square again, as preparation sees to."""
    y, x = places(images)
    inside = wedge(images, random, half=(0.45, 0.9), aim=0.2) < 1
    depth = ((y + 1) ** 2 + x**2).sqrt()
    inside &= depth < uniform(images, 1.1, 2.1, random)
    inside |= chosen(images, 0.4, random) > 0
    return refilled(images * inside, images)


def refilled(images: Tensor, otherwise: Tensor) -> Tensor:
    """Every image cut to the box of what is not black and enlarged; too small ones are taken from `otherwise`."""
    import torch
    from torch.nn import functional

    seen = images[:, 0] > 0.02
    low, high = zip(*(_ends(seen.sum(dim=axis) > 2) for axis in (2, 1)), strict=True)  # rows, then columns
    heights, widths = high[0] - low[0], high[1] - low[1]
    size = torch.maximum(heights, widths)
    good = size > 0.7
    scale = torch.where(good, size / 2, torch.ones_like(size))
    zeros = torch.zeros_like(scale)
    centre = torch.where(good, (low[1] + high[1]) / 2, zeros)
    top = torch.where(good, low[0] + size / 2, zeros)  # the box lies at the top of the square
    matrix = torch.stack([torch.stack([scale, zeros, centre], 1), torch.stack([zeros, scale, top], 1)], 1)
    source = torch.where(good.view(-1, 1, 1, 1), images, otherwise)
    return functional.grid_sample(
        source, functional.affine_grid(matrix, list(images.shape), align_corners=False), align_corners=False
    )


def _ends(lines: Tensor) -> tuple[Tensor, Tensor]:
    """Where the first and the last line that is set begin and end, (N,) each."""
    side = lines.shape[1]
    count = lines.float()
    first, last = count.argmax(dim=1), side - 1 - count.flip(1).argmax(dim=1)
    empty = ~lines.any(dim=1)
    low, high = first * 2 / side - 1, (last + 1) * 2 / side - 1
    return low.masked_fill(empty, 0.0), high.masked_fill(empty, 0.0)


def moved(images: Tensor, random: Generator) -> Tensor:
    """Turned, stretched, leant over and shifted."""
    import torch
    from torch.nn import functional

    turn, lean = uniform(images, -0.26, 0.26, random).flatten(), uniform(images, -0.1, 0.1, random).flatten()
    wide, high = (uniform(images, 0.82, 1.15, random).flatten() for _ in range(2))
    right, down = (uniform(images, -0.12, 0.12, random).flatten() for _ in range(2))
    cos, sin = turn.cos(), turn.sin()
    rows = [torch.stack([wide * cos, lean - high * sin, right], 1), torch.stack([wide * sin, high * cos, down], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def shaded(images: Tensor, random: Generator) -> Tensor:
    """Gain that wanders slowly over the picture, and shadows along the beam."""
    import torch
    from torch.nn import functional

    field = torch.randn((len(images), 1, 5, 5), generator=random).to(images.device)
    field = functional.interpolate(field, size=images.shape[-2:], mode="bicubic", align_corners=True)
    images = images * (uniform(images, 0.0, 0.45, random) * field).exp()
    for _ in range(2):
        ray = wedge(images, random, half=(0.05, 0.25), aim=0.7)
        depth = uniform(images, 0.3, 1.0, random) * chosen(images, 0.35, random)
        images = images * (1 - depth * (-(ray**2)).exp())
    return images.clamp(0, 1)


def boxed(images: Tensor, random: Generator) -> Tensor:
    """The outline of a colour box in some images, blood in a part of it hidden."""
    y, x = places(images)
    ray = wedge(images, random, half=(0.15, 0.4), aim=0.25)
    depth = ((y + 1) ** 2 + x**2).sqrt()
    middle, half = uniform(images, 0.7, 1.4, random), uniform(images, 0.2, 0.6, random)
    across = (depth - middle).abs() / half
    border = ((ray - 1).abs() < 0.04) & (across < 1) | ((across - 1).abs() < 0.03) & (ray < 1)
    there = chosen(images, 0.15, random)
    inside = ((ray < 1) & (across < 1)).float()
    images = images * (1 - there * inside * uniform(images, 0.0, 0.6, random))
    return images * (1 - there * border) + there * border * uniform(images, 0.5, 1.0, random)


def regraded(images: Tensor, random: Generator) -> Tensor:
    """Another grey map: what was dark is black, what was bright is white, and the curve between them is bent."""
    low, high = uniform(images, -0.05, 0.3, random), uniform(images, 0.6, 1.1, random)
    graded = ((images - low) / (high - low)).clamp(0, 1) ** uniform(images, 0.6, 1.7, random)
    return graded * (images > 0)


def blurred(images: Tensor, random: Generator) -> Tensor:
    """Smoothed to a different degree along and across the picture, then grainy."""
    import torch
    from torch.nn import functional

    steps = torch.arange(-4.0, 5.0, device=images.device)
    for shape in ((9, 1), (1, 9)):
        sigma = uniform(images, 0.2, 1.8, random).view(-1, 1)
        kernel = (-(steps**2) / (2 * sigma**2)).exp()
        kernel = (kernel / kernel.sum(1, keepdim=True)).view(-1, 1, *shape)
        images = functional.conv2d(
            images.transpose(0, 1), kernel, padding=(shape[0] // 2, shape[1] // 2), groups=len(images)
        )
        images = images.transpose(0, 1)
    grain = torch.randn((len(images), 1, images.shape[-2] // 2, images.shape[-1] // 2), generator=random)
    grain = grain.to(images.device)
    grain = functional.interpolate(grain, size=images.shape[-2:], mode="bilinear", align_corners=False)
    return (images * (1 + uniform(images, 0.0, 0.3, random) * grain)).clamp(0, 1)
